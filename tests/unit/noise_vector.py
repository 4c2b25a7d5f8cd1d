#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# usage: noise_vector.py > noise_vector.h
# A handshake worked out from the WireGuard paper (5.4) and RFC 7748, 8439 with Python's integers and
# hashlib's BLAKE2s alone: nothing in common with the engine but the paper.
import hashlib
import hmac
import struct

P = 2**255 - 19


def x25519(scalar, point):
    k = bytearray(scalar)
    k[0] &= 248
    k[31] = k[31] & 127 | 64
    k = int.from_bytes(k, "little")
    u = int.from_bytes(point, "little") & (2**255 - 1)
    x2, z2, x3, z3, swap = 1, 0, u, 1, 0
    for t in range(254, -1, -1):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb = d * a, c * b
        x3, z3 = (da + cb) ** 2 % P, u * (da - cb) ** 2 % P
        aa, bb = a * a % P, b * b % P
        e = aa - bb
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def chacha_block(key, counter, nonce):
    state = list(struct.unpack("<16I", b"expand 32-byte k" + key + struct.pack("<I", counter) + nonce))
    work = state[:]

    def rotate(v, n):
        return (v << n | v >> (32 - n)) & 0xFFFFFFFF

    def quarter(a, b, c, d):
        for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            work[x] = (work[x] + work[y]) & 0xFFFFFFFF
            work[z] = rotate(work[z] ^ work[x], n)

    for _ in range(10):
        for q in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                  (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            quarter(*q)
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(work, state)))


def seal(key, plain, aad):
    nonce = bytes(12)
    stream = b"".join(chacha_block(key, 1 + i, nonce) for i in range((len(plain) + 63) // 64))
    sealed = bytes(a ^ b for a, b in zip(plain, stream))
    one_time = chacha_block(key, 0, nonce)[:32]

    def pad(data):
        return data + bytes(-len(data) % 16)

    data = pad(aad) + pad(sealed) + struct.pack("<QQ", len(aad), len(sealed))
    r = int.from_bytes(one_time[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    tag = 0
    for i in range(0, len(data), 16):
        tag = (tag + int.from_bytes(data[i:i + 16] + b"\1", "little")) * r % (2**130 - 5)
    tag = tag + int.from_bytes(one_time[16:], "little") & (2**128 - 1)
    return sealed + tag.to_bytes(16, "little")


def digest(data):
    return hashlib.blake2s(data).digest()


def kdf(n, key, data):
    secret = hmac.new(key, data, hashlib.blake2s).digest()
    out, last = [], b""
    for i in range(n):
        last = hmac.new(secret, last + bytes([i + 1]), hashlib.blake2s).digest()
        out.append(last)
    return out


def named(name):
    return digest(b"netpas test vector: " + name)


initiator, responder = named(b"initiator"), named(b"responder")
ephemeral_i, ephemeral_r, psk = named(b"ephemeral i"), named(b"ephemeral r"), named(b"psk")
timestamp = bytes.fromhex("400000006553f10a01000000")
base = (9).to_bytes(32, "little")
public_i, public_r = x25519(initiator, base), x25519(responder, base)
public_ei, public_er = x25519(ephemeral_i, base), x25519(ephemeral_r, base)

c = digest(b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s")
h = digest(digest(c + b"WireGuard v1 zx2c4 Jason@zx2c4.com") + public_r)
message = struct.pack("<II", 1, 0x11223344) + public_ei
c, = kdf(1, c, public_ei)
h = digest(h + public_ei)
c, k = kdf(2, c, x25519(ephemeral_i, public_r))
part = seal(k, public_i, h)
message += part
h = digest(h + part)
c, k = kdf(2, c, x25519(initiator, public_r))
part = seal(k, timestamp, h)
message += part
h = digest(h + part)
mac1 = hashlib.blake2s(message, key=digest(b"mac1----" + public_r), digest_size=16).digest()
initiation = message + mac1 + bytes(16)

message = struct.pack("<III", 2, 0x55667788, 0x11223344) + public_er
c, = kdf(1, c, public_er)
h = digest(h + public_er)
c, = kdf(1, c, x25519(ephemeral_r, public_ei))
c, = kdf(1, c, x25519(ephemeral_r, public_i))
c, t, k = kdf(3, c, psk)
h = digest(h + t)
message += seal(k, b"", h)
mac1 = hashlib.blake2s(message, key=digest(b"mac1----" + public_i), digest_size=16).digest()
response = message + mac1 + bytes(16)
send, receive = kdf(2, c, b"")

# RFC 7748, 5.2; RFC 8439 is covered by the AEAD's own tests.
assert x25519(bytes.fromhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
              bytes.fromhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
              ).hex() == "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"

print("/* SPDX-License-Identifier: GPL-2.0-only */")
print("/* Made by noise_vector.py. */")
print("/* clang-format off */")
for name in ("initiator", "responder", "ephemeral_i", "ephemeral_r", "psk", "timestamp", "initiation",
             "response", "send", "receive"):
    value = globals()[name]
    print(f"static const uint8_t vector_{name}[{len(value)}] = {{")
    for i in range(0, len(value), 16):
        print("\t" + " ".join(f"0x{b:02x}," for b in value[i:i + 16]))
    print("};")
