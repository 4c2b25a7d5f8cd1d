1s/$/\nprobes: 10ms/
