s/198.51.100.9/"2001:db8::9"/
s/mtu: 1400/connect: false/
