1a\
lanes: [protected]
s/mtu: 1400/dscp: {46: protected, 8: bulk, 10: bulk}/
