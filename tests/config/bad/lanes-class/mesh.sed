1a\
lanes: [best, protcted]
s/mtu: 1400/class: bulk/
