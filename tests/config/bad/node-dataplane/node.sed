$s/$/\ndataplane: generik/
