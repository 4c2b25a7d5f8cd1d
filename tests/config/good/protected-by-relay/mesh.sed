/203.0.113.2/d
s/mtu: 1400/class: protected/
