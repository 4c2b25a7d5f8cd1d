s/^    subnets: .*/    vrrp: {profile: fast, profile: cloud}\
&/
