s/^    subnets: .*/    vrrp: {profile: quick}\
&/
