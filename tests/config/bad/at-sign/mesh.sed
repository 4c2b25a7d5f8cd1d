s/^mesh: acme/mesh: @acme/
