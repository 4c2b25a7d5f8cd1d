s/between: .fra, sin./between: [fra]/
