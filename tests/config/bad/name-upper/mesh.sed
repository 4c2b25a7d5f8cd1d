s/name: sin$/name: Sin/
