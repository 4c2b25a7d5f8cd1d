$s/$/\ndataplane: fast/
