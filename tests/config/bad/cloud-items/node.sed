$a\
cloud:\
  provider: aws\
  region: eu-central-1\
  interface: eni-1\
  fence: rtb-1\
  addresses: [172.16.1.253, "fd00:16:1::fe", 300.1.1.1]\
  public: []\
  routes:\
    - {table: rtb-1}\
    - {table: vtb-1, prefix: 10.2.0.0/16}\
    - {table: rtb-1, prefix: 0.0.0.0/0}\
  verify: 10ms
