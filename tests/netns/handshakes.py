#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# usage: handshakes.py ADDRESS PORT PUBLIC_KEY SECONDS
# Initiations with the right mac1 and nothing else right, as fast as they can be sent. Prints how many
# were sent and how many cookie replies came.
import base64
import hashlib
import os
import select
import socket
import sys
import time

address, port, key, seconds = sys.argv[1], int(sys.argv[2]), base64.b64decode(sys.argv[3]), float(sys.argv[4])
body = (1).to_bytes(4, "little") + os.urandom(112)
label = hashlib.blake2s(b"mac1----" + key).digest()
message = body + hashlib.blake2s(body, key=label, digest_size=16).digest() + bytes(16)
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.connect((address, port))
sent = cookies = 0
end = time.monotonic() + seconds
while time.monotonic() < end:
    for _ in range(64):
        sent += sender.send(message) == len(message)
    while select.select([sender], [], [], 0)[0]:
        reply = sender.recv(2048)
        cookies += len(reply) == 64 and reply[0] == 3
print(sent, cookies)
