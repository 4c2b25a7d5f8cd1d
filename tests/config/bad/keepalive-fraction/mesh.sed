1a\
keepalive: 1500ms
