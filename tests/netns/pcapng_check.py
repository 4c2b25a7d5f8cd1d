#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""pcapng_check.py FILE PACKETS: the file is what the specification (draft-ietf-opsawg-pcapng) says, to the last byte.

Debian's tshark would say so as well, but it takes 124 MB.
"""
import re
import struct
import sys

SECTION, INTERFACE, STATISTICS, PACKET = 0x0A0D0D0A, 1, 5, 6
COMMENT, IF_NAME, IF_RESOLUTION, FLAGS, VERDICT, RECEIVED = 1, 2, 9, 2, 7, 4
TC, XDP = 1, 2


def need(good, *text):
	if not good:
		sys.exit("pcapng: " + " ".join(map(str, text)))


def options_of(data, place):
	found, at = {}, 0
	while at < len(data):
		need(at + 4 <= len(data), place, "an option is cut")
		code, length = struct.unpack_from("<HH", data, at)
		padded = at + 4 + (length + 3 & ~3)
		need(padded <= len(data), place, "option", code, "is longer than its block")
		need(not any(data[at + 4 + length:padded]), place, "option", code, "is padded with something")
		if not code:
			need(not length and padded == len(data), place, "the end of options is not at the end")
			return found
		need(code not in found, place, "option", code, "twice")
		found[code] = data[at + 4:at + 4 + length]
		at = padded
	need(not data, place, "options have no end")
	return found


def main():
	data, at, interfaces, packets, statistics = open(sys.argv[1], "rb").read(), 0, [], 0, 0
	while at < len(data):
		place = "byte %d:" % at
		need(at + 12 <= len(data), place, "a block is cut")
		kind, length = struct.unpack_from("<II", data, at)
		need(length >= 12 and not length % 4 and at + length <= len(data), place, "length", length)
		need(struct.unpack_from("<I", data, at + length - 4)[0] == length, place, "its two lengths differ")
		need((kind == SECTION) == (at == 0), place, "block", kind)
		body = data[at + 8:at + length - 4]
		if kind == SECTION:
			magic, major, minor, section = struct.unpack_from("<IHHq", body)
			need((magic, major, minor, section) == (0x1A2B3C4D, 1, 0, -1), place, magic, major, minor, section)
			options_of(body[16:], place)
		elif kind == INTERFACE:
			link, reserved, snap = struct.unpack_from("<HHI", body)
			options = options_of(body[8:], place)
			need(link in (1, 101) and not reserved and snap, place, link, reserved, snap)
			need(options.get(IF_NAME) and options.get(IF_RESOLUTION) == b"\x09", place, "name, resolution")
			interfaces.append({"snap": snap, "packets": 0, "last": 0})
		elif kind == PACKET:
			number, high, low, captured, original = struct.unpack_from("<IIIII", body)
			need(number < len(interfaces), place, "interface", number, "is not there yet")
			need(captured <= original and captured <= interfaces[number]["snap"], place, "lengths", captured, original)
			rest = 20 + (captured + 3 & ~3)
			need(rest <= len(body), place, "the packet is longer than its block")
			options = options_of(body[rest:], place)
			comment = options.get(COMMENT, b"").decode("utf-8")
			need(comment.isprintable(), place, "comment", repr(comment))
			flags = options.get(FLAGS, b"")
			need(len(flags) == 4 and struct.unpack("<I", flags)[0] & 3 in (1, 2), place, "direction", flags)
			verdict = options.get(VERDICT, b"")
			need(len(verdict) == 9 and verdict[0] in (TC, XDP), place, "verdict", verdict)
			need(re.search(r"(^|[,;] )%s_[A-Z]+$" % ("XDP" if verdict[0] == XDP else "TC_ACT"), comment), place,
			     "verdict", verdict, "but", repr(comment))
			interfaces[number]["packets"] += 1
			packets += 1
			need(high << 32 | low > 10 ** 18, place, "the time is not of these years")
		elif kind == STATISTICS:
			number = struct.unpack_from("<I", body)[0]
			options = options_of(body[12:], place)
			need(number < len(interfaces) and struct.unpack("<Q", options[RECEIVED])[0] == interfaces[number]["packets"],
			     place, "interface", number, "has not what it says")
			statistics += 1
		else:
			need(False, place, "a block of kind", kind)
		at += length
	need(packets == int(sys.argv[2]), packets, "packets, not", sys.argv[2])
	need(statistics == len(interfaces) > 0, statistics, "statistics of", len(interfaces), "interfaces")


main()
