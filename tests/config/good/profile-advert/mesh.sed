s/^    subnets: .*/    vrrp: {advert: 50ms, profile: fast}\
&/
