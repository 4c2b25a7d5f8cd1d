s/^mesh: acme/mesh: "ac\\e[31mme"/
