#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""confined.py UNIT COMMAND...: run it with the system calls and capabilities that a unit file allows.

What systemd itself allows to every service (its @default) is in @system-service. x86-64 only, as the numbers
of system calls come from its header.
"""
import ctypes
import os
import re
import struct
import subprocess
import sys

HEADER = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"
PR_SET_SECCOMP, SECCOMP_MODE_FILTER, PR_SET_NO_NEW_PRIVS = 22, 2, 38
ALLOW, EPERM = 0x7FFF0000, 0x00050001
LOAD, JEQ, RET = 0x20, 0x15, 0x06


def setting(text, name):
    return [word for line in re.findall(rf"^{name}=(.*)$", text, re.M) for word in line.split()]


def sets_of_calls():
    sets, name = {}, None
    out = subprocess.run(["systemd-analyze", "syscall-filter"], check=True, capture_output=True, text=True)
    for line in out.stdout.splitlines():
        if line.startswith("@"):
            name = line.strip()
            sets[name] = []
        elif name and line.startswith("    ") and not line.strip().startswith("#"):
            sets[name].append(line.strip())
        elif not line.startswith("    "):
            name = None
    return sets


def calls_of(words, sets):
    calls = set()
    for word in words:
        calls |= calls_of(sets[word], sets) if word.startswith("@") else {word}
    return calls


def main():
    with open(sys.argv[1], encoding="ascii") as unit, open(HEADER, encoding="ascii") as header:
        text, numbers = unit.read(), dict(re.findall(r"#define __NR_(\w+) (\d+)", header.read()))
    calls = calls_of(setting(text, "SystemCallFilter"), sets_of_calls())
    allowed = [int(numbers[name]) for name in sorted(calls) if name in numbers]
    if len(allowed) < 100:
        sys.exit("confined.py: no list of system calls in " + sys.argv[1])
    code = struct.pack("HBBI", LOAD, 0, 0, 0)
    for number in allowed:
        code += struct.pack("HBBI", JEQ, 0, 1, number) + struct.pack("HBBI", RET, 0, 0, ALLOW)
    code += struct.pack("HBBI", RET, 0, 0, EPERM)
    text_of = ctypes.create_string_buffer(code)
    program = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(text_of))
    libc = ctypes.CDLL(None, use_errno=True)
    bounds = ",".join(["-all"] + ["+" + word[4:].lower() for word in setting(text, "CapabilityBoundingSet")])
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program):
        sys.exit("confined.py: " + os.strerror(ctypes.get_errno()))
    os.execvp("setpriv", ["setpriv", "--bounding-set", bounds, "--", *sys.argv[2:]])


main()
