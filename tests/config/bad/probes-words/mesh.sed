1s/$/\nprobes: {fasst: 3ms, idle: 1s}/
