$a\
web: {}
