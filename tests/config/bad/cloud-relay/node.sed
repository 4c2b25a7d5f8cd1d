s/fra-a/pop1/;s/lan: eth1, //
$a\
cloud:\
  provider: gcp\
  project: acme\
  network: default\
  routes: [{prefix: 10.2.0.0/16}]
