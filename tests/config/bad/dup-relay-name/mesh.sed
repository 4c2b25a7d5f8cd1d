s/name: pop1/name: sin-a/
