s/mtu: 1400/class: bulk/
