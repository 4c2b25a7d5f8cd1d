s/fra-a/pop1/;s/lan: eth1, //
$s/$/\nlan_probe: [172.16.1.9]/
