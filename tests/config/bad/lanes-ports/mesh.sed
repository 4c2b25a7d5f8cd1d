1a\
port_base: 57345\
lanes: [best, protected]
