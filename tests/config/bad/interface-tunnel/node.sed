s/eth1/np12/
