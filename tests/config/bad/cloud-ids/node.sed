$a\
cloud:\
  provider: aws\
  region: "eu central"\
  interface: "eni-1&Action=DeleteVpc"\
  public: [eni-1, "../eipalloc-1"]
