s/id: 3/id: three/
