$a\
cloud:\
  provider: openstack\
  identity: https://keystone.example.net:5000/v3\
  credentials: /etc/netpas/openstack.json\
  interface: 6f4a4b1e-0000-4000-8000-000000000001\
  partner: 6f4a4b1e-0000-4000-8000-000000000002\
  addresses: [172.16.1.254]
