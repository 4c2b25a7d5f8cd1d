#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""web_hostile.py ADDRESS PORT TOKEN: requests that nobody means well with, to netpas-web.

Prints a JSON list of {"name", "good", "detail"}. What is asked properly meanwhile must be answered.
"""
import json
import socket
import sys
import threading
import time

ADDRESS, PORT, TOKEN = sys.argv[1], int(sys.argv[2]), sys.argv[3]
BEARER = "Authorization: Bearer %s\r\n" % TOKEN
results = []


def connect(timeout=12):
	s = socket.create_connection((ADDRESS, PORT), timeout)
	s.settimeout(timeout)
	return s


def drain(s):
	"""All that comes until the end; None in place of an end that did not come in time."""
	data = b""
	try:
		while True:
			part = s.recv(65536)
			if not part:
				return data
			data += part
	except socket.timeout:
		return None
	except OSError:
		return data


def send(s, data):
	try:
		s.sendall(data)
	except OSError:
		pass  # it was closed on us, as may be


def exchange(data, timeout=12):
	s = connect(timeout)
	send(s, data)
	answer = drain(s)
	s.close()
	return answer


def code(answer):
	return int(answer.split(b" ", 2)[1]) if answer and answer.startswith(b"HTTP/1.") else None


def result(name, good, detail=""):
	results.append({"name": name, "good": bool(good), "detail": str(detail)})


def is_well(name):
	"""Somebody who has the token is served, soon."""
	began = time.monotonic()
	answer = exchange(("GET /metrics HTTP/1.1\r\nHost: x\r\n%s\r\n" % BEARER).encode())
	result(name, code(answer) == 200 and b"netpas_generation" in answer and time.monotonic() - began < 3,
	       "%s after %.1f s" % (code(answer), time.monotonic() - began))


def loris():
	"""Headers, and a body, that come byte by byte, for ever: closed in time, whatever comes."""
	heads = [b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"GET /", b"", b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 400\r\n\r\ntoken=",
		 b"POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"]
	conns = []
	for i in range(50):
		s = connect(2)
		send(s, heads[i % len(heads)])
		conns.append((s, i % len(heads)))
	began, left = time.monotonic(), list(conns)
	while left and time.monotonic() - began < 10:
		for s, kind in list(left):
			try:
				if kind != 2:  # that one says nothing at all
					s.sendall(b"1\r\na\r\n" if kind == 4 else b"a")
				s.settimeout(0.001)
				if not s.recv(4096):
					raise OSError
			except socket.timeout:
				continue
			except OSError:
				left.remove((s, kind))
		time.sleep(0.2)
	result("slow loris: closed in time", not left, "%d of 50 are open after 10 s" % len(left))
	for s, _ in conns:
		s.close()


def refused(name, request, codes=(400, 401, 404, 405, 413, 414, 431, 501, 505)):
	answer = exchange(request)
	good = answer is not None and (answer == b"" or code(answer) in codes)
	result(name, good, answer and answer[:60])


is_well("asked properly, before")
slow = threading.Thread(target=loris)
slow.start()

for path in ("/../../etc/netpas/private.key", "/%2e%2e/%2e%2e/etc/passwd", "//metrics", "/metrics/", "/metrics%00", "/metrics%2f..%2fx",
	     "/./metrics", "/..;/metrics", "http://x/metrics/x", "/\\..\\metrics", "/view.json%20", "/METRICS", "/page.js", "*"):
	refused("path " + path, ("GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (path, BEARER)).encode(), (400, 404, 405))
for method in ("PUT", "DELETE", "TRACE", "CONNECT", "OPTIONS", "PATCH", "get", "POST", "GET" * 3000):
	refused("method " + repr(method), ("%s /metrics HTTP/1.1\r\nHost: x\r\n%sContent-Length: 0\r\n\r\n" % (method, BEARER)).encode(), (400, 404, 405, 501))
for token in ("", "AAAA", TOKEN[:-1], TOKEN + "=", TOKEN.lower(), "A" * 44, "A" * 4000, "\xff" * 44, TOKEN + "\x01"):
	refused("token " + repr(token[:12]), b"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token.encode("latin1") + b"\r\n\r\n", (400, 401))
for cookie in ("netpas=", "netpas=" + "f" * 80, "netpas=" + "0" * 80, "netpas=" + TOKEN, ";" * 3000, "netpas=\x7f"):
	refused("cookie " + cookie[:14], ("GET /view.json HTTP/1.1\r\nHost: x\r\nCookie: %s\r\n\r\n" % cookie).encode(), (400, 401))
refused("a header of 64 kB", ("GET / HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n" % ("a" * 65536)).encode())
refused("10,000 headers", ("GET / HTTP/1.1\r\nHost: x\r\n%s\r\n" % ("a: b\r\n" * 10000)).encode())
refused("a path of 40 kB", ("GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % ("a" * 40000)).encode())
refused("a body of 1 MB to the form", b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"a" * 1000000)
refused("a body of 1 MB to the metrics", b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"a" * 1000000)
refused("a negative length", b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n")
refused("a huge length", b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n")
refused("length and chunks", b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
refused("a chunk of 2^64 bytes", b"POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc\r\n0\r\n\r\n")
refused("no host", b"GET / HTTP/1.1\r\n\r\n")
refused("another version", b"GET / HTTP/9.9\r\nHost: x\r\n\r\n")
refused("TLS", bytes.fromhex("16030100c8010000c40303") + b"\x00" * 190 + b"\r\n\r\n")
refused("NUL bytes", b"\0" * 4096 + b"\r\n\r\n")
refused("a header with NUL", b"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \0" + TOKEN.encode() + b"\r\n\r\n")

answer = exchange(("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 30 + "GET /metrics HTTP/1.1\r\nHost: x\r\n%s\r\n" % BEARER).encode())
result("pipelined: one answer, and the end", answer is not None and answer.count(b"HTTP/1.1 ") == 1 and code(answer) == 401, answer and answer[:40])
is_well("asked properly, beside slow ones")
slow.join()

# All connections that one address may have: another address of the same host has its own.
conns = [connect(3) for _ in range(120)]
time.sleep(0.3)
ended = 0
for s in conns:
	s.settimeout(0.01)
	try:
		ended += not s.recv(1)
	except socket.timeout:
		pass
	except OSError:
		ended += 1
result("too many connections of one address: those above the limit are closed", ended >= 20, "%d of 120" % ended)
for s in conns:
	s.close()
time.sleep(0.3)

# A viewer that goes away in the middle, and one that never reads.
for _ in range(20):
	s = connect()
	send(s, ("GET /events HTTP/1.1\r\nHost: x\r\n%s\r\n" % BEARER).encode())
	s.close()
is_well("asked properly, after")
json.dump(results, sys.stdout)
