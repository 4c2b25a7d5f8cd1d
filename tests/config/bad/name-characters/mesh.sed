s/name: sin-a/name: -sin!/
