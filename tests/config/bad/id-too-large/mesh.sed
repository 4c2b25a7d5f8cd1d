s/id: 3/id: 4096/
