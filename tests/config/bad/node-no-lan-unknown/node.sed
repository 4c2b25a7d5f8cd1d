s/fra-a/fra-c/;s/lan: eth1, //
