$a\
web:\
  listen: [192.0.2.10, "2001:db8::10"]\
  interface: eth2\
  port: 443\
  allow: [192.0.2.0/24, "2001:db8::/32", 0.0.0.0/0]\
  token: "./web.token"
