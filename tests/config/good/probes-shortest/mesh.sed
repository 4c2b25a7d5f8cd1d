1s/$/\nprobes: {slow: 5ms, fast: 5ms}/
s/\[192.0.2.1\]/&\n    limit: 0/
