s/eth1/eth0/
