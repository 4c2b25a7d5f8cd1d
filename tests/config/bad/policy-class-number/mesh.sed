s/mtu: 1400/class: 1+1/
