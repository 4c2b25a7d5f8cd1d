1s/$/\nprobes:\n  fast: 100ms\n  slow: 50ms/
