$a\
cloud:\
  provider: aws\
  region: eu-central-1\
  interface: eni-0123456789abcdef0\
  fence: subnet-1\
  endpoint: https://ec2.example.net/\
  metadata: http://[fd00:ec2::254]\
  credentials: /etc/netpas/aws keys.json\
  ca: /etc/ssl/private.pem\
  routes:\
    - {prefix: 10.2.0.0/16, table: rtb-1}\
    - {table: rtb-2, prefix: "FD00:10:2::/48"}\
  addresses: [172.16.1.254]\
  public: [eipalloc-1, eipalloc-2]\
  verify: 1m
