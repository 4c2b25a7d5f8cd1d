s/id: 3/id: !!int 3/
