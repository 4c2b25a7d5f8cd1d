s/fra-a/elsewhere/
