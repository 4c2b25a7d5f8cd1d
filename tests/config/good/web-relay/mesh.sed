s#p0vm1aZB1J0EZViQXWlg5MluS5DDSZGS45hePqCpTBk=#-#
s#itYbttnEAmPu8Cn1yLOJEFjeMFdGJCaqYd/RqQz/6jc=#p0vm1aZB1J0EZViQXWlg5MluS5DDSZGS45hePqCpTBk=#
s#key: -$#key: itYbttnEAmPu8Cn1yLOJEFjeMFdGJCaqYd/RqQz/6jc=#
