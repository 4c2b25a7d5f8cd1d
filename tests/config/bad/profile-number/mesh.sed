s/^    subnets: .*/    vrrp: {profile: 10ms}\
&/
