$s/$/\ndataplane: native/
