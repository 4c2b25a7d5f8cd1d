1a\
lanes: best
