$s/$/\ndataplane: [tc]/
