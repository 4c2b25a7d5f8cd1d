1a\
engine: fast
