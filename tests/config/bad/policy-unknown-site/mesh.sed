s/between: .fra, sin./between: [fra, sim]/
