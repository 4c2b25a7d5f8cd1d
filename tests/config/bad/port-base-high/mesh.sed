1a\
port_base: 61441
