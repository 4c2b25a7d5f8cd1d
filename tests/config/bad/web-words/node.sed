$a\
web:\
  listen: [172.16.1.2, 172.16.1.3, fe80::1]\
  interface: lo\
  port: 0\
  allow: [192.0.2.0/24, 192.0.2.0/24, 192.0.2.1]\
  users: [root]
