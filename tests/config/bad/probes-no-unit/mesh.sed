1s/$/\nprobes: {fast: 10, slow: 500}/
