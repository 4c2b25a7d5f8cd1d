1s/$/\nprobes: {fast: 1s, slow: 10s}/
s/\[192.0.2.1\]/&\n    limit: 1000/
