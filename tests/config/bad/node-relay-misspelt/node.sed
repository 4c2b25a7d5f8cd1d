s/fra-a/pop11/;s/lan: eth1, //
