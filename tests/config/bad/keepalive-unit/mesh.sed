1a\
keepalive: 25 sec
