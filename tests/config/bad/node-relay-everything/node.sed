s/fra-a/pop1/
s/\[eth0\]/[lo, eth0, eth0]/
$s/$/\nengine: kernal\ndataplane: xdp\nallow: [{from: 192.0.2.1\/24, tcp: 22}]/
