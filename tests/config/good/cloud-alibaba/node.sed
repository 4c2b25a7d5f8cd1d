$a\
cloud:\
  provider: alibaba\
  region: cn-hangzhou\
  interface: eni-1\
  partner: eni-2\
  routes:\
    - {table: vtb-1, prefix: 10.2.0.0/16}\
  havips: [havip-1]
