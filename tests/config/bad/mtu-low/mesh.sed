1a\
mtu: 1279
