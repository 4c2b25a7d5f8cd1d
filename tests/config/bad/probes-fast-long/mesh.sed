1s/$/\nprobes: {fast: 1001ms, slow: 2s}/
