/^relays/,/192.0.2.1/d
