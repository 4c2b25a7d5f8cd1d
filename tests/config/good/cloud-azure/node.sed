$a\
cloud:\
  provider: azure\
  subscription: 00000000-0000-0000-0000-000000000001\
  group: rg_1\
  routes:\
    - {table: to-mesh, prefix: 10.2.0.0/16}
