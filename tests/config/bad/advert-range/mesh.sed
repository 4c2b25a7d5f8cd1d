s/^    subnets: .*/    vrrp: {advert: 41s}\
&/
