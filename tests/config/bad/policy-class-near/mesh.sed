s/mtu: 1400/class: protect/
