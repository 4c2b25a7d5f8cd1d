s/^    subnets: .*/    vrrp: {id: 256}\
&/
