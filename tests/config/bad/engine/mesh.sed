1a\
engine: kernal
