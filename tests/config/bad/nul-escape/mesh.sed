s/^mesh: acme/mesh: "ac\\0me"/
