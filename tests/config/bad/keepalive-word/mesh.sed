1a\
keepalive: soon
