s/name: sin$/name: fra/
