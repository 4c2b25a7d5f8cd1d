$a\
  - between: [sin, fra]
