$a\
cloud:\
  provider: amazon\
  region: eu-central-1\
  routes: [{table: 5, prefix: 10.2.0.1/16}]
