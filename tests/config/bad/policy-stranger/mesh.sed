s/between: .fra, sin./between: [fra, nowhere]/
