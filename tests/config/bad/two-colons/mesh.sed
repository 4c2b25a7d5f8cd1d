s/^mesh: acme/mesh: acme: x/
