s#p0vm1aZB1J0EZViQXWlg5MluS5DDSZGS45hePqCpTBk=#-#
s#itYbttnEAmPu8Cn1yLOJEFjeMFdGJCaqYd/RqQz/6jc=#p0vm1aZB1J0EZViQXWlg5MluS5DDSZGS45hePqCpTBk=#
s#key: -$#key: itYbttnEAmPu8Cn1yLOJEFjeMFdGJCaqYd/RqQz/6jc=#
s/\[192.0.2.1\]/[{public: 192.0.2.1, private: 10.77.0.2}, "2001:db8::1"]\n    limit: 100000000/
1s/$/\nengine: user/
