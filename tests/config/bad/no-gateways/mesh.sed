/^      - name: sin-a/,/^        wan: .198/d
/subnets: .10.2/{n;s/gateways:/gateways: []/}
