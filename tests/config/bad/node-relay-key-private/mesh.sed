s#public_key: itYb.*#public_key: IDy7XHieBETDf27aYlm2ougDUISMMwoTe3Hj1S9xYFU=#
