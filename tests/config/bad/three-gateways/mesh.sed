/^  - name: sin/i\
      - {name: fra-c, id: 4, public_key: czLA9HpszkVbm1xC8+8PEJjmLva6kYOXkD6+Xj4PzXI=, lan: [172.16.1.4], wan: [203.0.113.4]}
