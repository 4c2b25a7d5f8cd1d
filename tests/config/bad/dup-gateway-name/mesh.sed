s/name: sin-a/name: fra-b/
