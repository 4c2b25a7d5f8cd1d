1a\
lanes: [bulk, best, protected]
