$s/$/\ndrills: power/
