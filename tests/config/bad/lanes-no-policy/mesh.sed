1a\
lanes: [bulk]
s/mtu: 1400/class: bulk/
/^relays:/i\
  - name: nyc\
    lan: {prefixes: [172.16.3.0/24], vips: [172.16.3.254]}\
    subnets: [10.3.0.0/16]\
    gateways: [{name: nyc-a, id: 5, public_key: BQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=, lan: [172.16.3.2], wan: [192.0.2.5]}]
