s/fra-a/fra-b/
