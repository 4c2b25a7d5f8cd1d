s/fra-a/pop1/
s/interfaces.*/interfaces: {}/
