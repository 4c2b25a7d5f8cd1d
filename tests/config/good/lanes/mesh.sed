1a\
lanes: [best, protected, bulk, bulk]
s/mtu: 1400/dscp: {46: protected, 8: bulk}/
