s/fra-a/fra-c/
