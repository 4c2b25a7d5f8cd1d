s/id: 3/id: 003/
