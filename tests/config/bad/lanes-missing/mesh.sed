1a\
lanes: [best, bulk]
s/mtu: 1400/class: protected/
