s/mtu: 1400/mss: clam/
