1a\
port_base: 80\
engine: fast
s/id: 3/id: 1/
s/10.2.0.0.16/10.1.0.0\/17/
s/vips: .172.16.2.254/vips: [172.16.9.254/
