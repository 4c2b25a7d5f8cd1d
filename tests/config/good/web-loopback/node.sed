$a\
web: {listen: [127.0.0.1], allow: [127.0.0.0/8]}
