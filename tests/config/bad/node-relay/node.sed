s/fra-a/pop1/
