1a\
keepalive: 25
