s/^    subnets: .*/    vrrp: {profile: patient, id: 52}\
&/
