s/eth1/lo/
