s/fra-a/pop1/;s/lan: eth1, //
$s/$/\ndrills: off/
