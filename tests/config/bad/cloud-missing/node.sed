$a\
cloud:\
  provider: aws\
  region: eu-central-1\
  addresses: [172.16.1.254]
