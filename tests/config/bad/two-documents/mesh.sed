$a\
---\
mesh: other
