s/fra-a/pop1/
s/interfaces.*/interfaces: {wan: [eth0, eth1]}\ndataplane: generic\nallow: [{tcp: 22, from: 192.0.2.0\/24}]/
