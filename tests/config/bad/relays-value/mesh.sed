/^relays/,/192.0.2.1/d
1s/$/\nrelays: pop1/
