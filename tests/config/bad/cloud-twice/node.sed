$a\
cloud:\
  provider: aws\
  region: eu-central-1\
  interface: eni-1\
  routes:\
    - {table: rtb-1, prefix: 10.2.0.0/16}\
    - {table: rtb-2, prefix: 10.2.0.0/16}\
    - {prefix: 10.2.0.0/16, table: rtb-1}\
  public: [eipalloc-1, eipalloc-1]
