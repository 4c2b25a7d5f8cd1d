s/^        id: 2/\t&/
