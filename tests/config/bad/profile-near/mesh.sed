s/^    subnets: .*/    vrrp: {profile: pateint}\
&/
