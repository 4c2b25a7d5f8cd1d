1a\
mtu:
