$s/$/\ndataplane: off/
