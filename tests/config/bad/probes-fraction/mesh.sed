1s/$/\nprobes: {fast: 0.5s}/
