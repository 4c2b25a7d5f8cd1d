1a\
keepalive: 3m
