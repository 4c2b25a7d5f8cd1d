1a\
relays: none
/^relays:/,/wan: .192/d
