s/fra-a/pop1/;s/lan: eth1, //
$s/$/\nweb: {listen: [192.168.50.7], interface: eth5, allow: [192.168.50.0\/24]}/
