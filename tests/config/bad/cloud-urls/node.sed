$a\
cloud:\
  provider: openstack\
  identity: http://keystone.example.net\
  endpoint: http://127.0.0.1.example.net\
  ca: private.pem\
  credentials: keys.json\
  interface: a\
  partner: b\
  addresses: [172.16.1.254]
