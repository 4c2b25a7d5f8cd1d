$a\
web:\
  listen: [192.168.7.4]\
  interface: eth0\
  allow: [192.0.2.0/24]
