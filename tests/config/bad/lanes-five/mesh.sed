1a\
lanes: [best, best, bulk, bulk, protected]
