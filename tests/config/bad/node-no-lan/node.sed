s/lan: eth1, //
