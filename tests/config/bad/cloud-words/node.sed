$a\
cloud:\
  provider: gcp\
  region: europe-west3\
  project: acme\
  network: default\
  netwrok: default\
  credentials: /etc/netpas/gcp.json\
  havips: [havip-1]\
  routes:\
    - {table: rtb-1, prefix: 10.2.0.0/16}
