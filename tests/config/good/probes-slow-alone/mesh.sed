1s/$/\nprobes: {slow: 10ms}/
