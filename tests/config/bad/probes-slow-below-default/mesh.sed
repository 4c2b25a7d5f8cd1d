1s/$/\nprobes: {slow: 7ms}/
