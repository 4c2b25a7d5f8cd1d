1a\
mesh: other
