s/private: 192.168.7.4/private: "fd07::4"/
