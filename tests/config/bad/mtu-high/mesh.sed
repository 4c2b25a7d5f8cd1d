s/mtu: 1400/mtu: 9001/
