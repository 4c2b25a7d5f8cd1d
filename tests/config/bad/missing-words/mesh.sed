/^  - name: sin/,/^relays/{/name: sin-a/,$!b
/id:/d;/public_key/d;/lan:/d}
