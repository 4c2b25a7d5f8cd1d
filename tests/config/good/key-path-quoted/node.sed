1a\
key: "./p\\u0072ivate.key"
