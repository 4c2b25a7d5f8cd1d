$a\
allow:\
  - {from: 192.0.2.0/24, tcp: 22}\
  - {from: 192.0.2.0/24, tcp: 22}
