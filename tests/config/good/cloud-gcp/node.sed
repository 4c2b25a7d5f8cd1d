$a\
cloud:\
  provider: gcp\
  project: acme-net-1\
  network: default\
  routes:\
    - {prefix: 10.2.0.0/16}
