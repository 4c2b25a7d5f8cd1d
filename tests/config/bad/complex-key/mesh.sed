1a\
[a, b]: c
