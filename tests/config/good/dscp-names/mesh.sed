s/mtu: 1400/dscp: {ef: protected, cs1: bulk, af11: bulk, af43: best, le: bulk, va: protected, df: best}/
