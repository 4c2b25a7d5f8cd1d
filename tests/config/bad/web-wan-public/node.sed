$a\
web: {listen: [203.0.113.2], interface: eth1, allow: [192.0.2.0/24]}
