s/mtu: 1400/connect: maybe/
