1s/$/\nprobes: {fast: 4ms, slow: 11s}/
