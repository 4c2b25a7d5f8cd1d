1s/$/\nprobes:/
