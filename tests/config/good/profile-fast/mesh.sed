s/^    subnets: .*/    vrrp: {profile: fast}\
&/
