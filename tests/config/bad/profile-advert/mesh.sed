s/^    subnets: .*/    vrrp: {profile: fats, advert: 5ms}\
&/
