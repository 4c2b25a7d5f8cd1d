1s/$/\nprobes: {fast: 1s}/
