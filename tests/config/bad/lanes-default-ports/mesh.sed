1a\
port_base: 61440
s/mtu: 1400/dscp: {46: protected, 8: bulk}/
