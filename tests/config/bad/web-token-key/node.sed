$a\
web: {allow: [192.0.2.0/24], token: private.key}
