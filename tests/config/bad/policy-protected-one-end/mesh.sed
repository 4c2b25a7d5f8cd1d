/^relays/,/192.0.2.1/d
s/mtu: 1400/class: protected/
