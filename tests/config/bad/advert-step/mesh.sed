s/^    subnets: .*/    vrrp: {advert: 105ms}\
&/
