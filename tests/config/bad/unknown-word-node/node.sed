1a\
keyfile: x
