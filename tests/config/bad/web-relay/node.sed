s/fra-a/pop1/;s/lan: eth1, //
$s/$/\nweb: {allow: [192.0.2.0\/24]}/
