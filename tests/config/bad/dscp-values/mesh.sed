s/mtu: 1400/dscp: {64: best, -1: best, af44: bulk, 46: gold, ef: best, 8: bulk, cs1: best, 9: [best]}/
$a\
  - between: [fra, sin]\
    dscp: [46]
