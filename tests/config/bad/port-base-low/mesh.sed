1a\
port_base: 1023
