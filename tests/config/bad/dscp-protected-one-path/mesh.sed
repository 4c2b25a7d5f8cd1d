/^relays/,/192.0.2.1/d
/203.0.113.2/d
s/mtu: 1400/dscp: {46: protected}/
