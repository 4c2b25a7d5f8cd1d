s/\[eth0\]/[eth0, eth2, eth0]/
