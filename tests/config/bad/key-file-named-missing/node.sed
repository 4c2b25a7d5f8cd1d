1a\
key: other.key
