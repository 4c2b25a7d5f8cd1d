s/^    subnets: .*/    vrrp: {advert: 100}\
&/
