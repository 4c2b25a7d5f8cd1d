s/gateways:/gatways:/
