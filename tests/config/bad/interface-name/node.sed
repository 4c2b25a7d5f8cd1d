s/eth1/eth 1/;s/eth0/an-interface-name/
