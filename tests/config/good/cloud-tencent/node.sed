$a\
cloud:\
  provider: tencent\
  region: ap-guangzhou\
  interface: eni-1\
  partner: eni-2\
  routes:\
    - {table: rtb-1, prefix: 10.2.0.0/16}\
  addresses: [172.16.1.254]
