s/mtu: 1400/{class: protected, dscp: {0: bulk, 63: best}}/
s/^    {class: protected, dscp: \(.*\)}$/    class: protected\
    dscp: \1/
