1a\
frobnicate: 3
