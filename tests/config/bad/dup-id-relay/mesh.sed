s/id: 100/id: 2/
