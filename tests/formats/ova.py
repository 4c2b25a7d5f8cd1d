# SPDX-License-Identifier: GPL-2.0-only
"""OVAs, each broken in one thing."""
import copy

import images


def check(suite):
    with open(suite.path("t.vmdk"), "rb") as file:
        vmdk = file.read()
    check_archive(suite, vmdk)
    check_descriptor(suite, vmdk)
    check_hardware(suite, vmdk)
    check_vmdk(suite, vmdk)


def broken(suite, name, members, *wanted):
    images.make_ova(suite.path("x.ova"), members)
    suite.expect(f"OVA: {name}", 1, [f"x.ova: {w}" for w in wanted], suite.path("x.ova"))


def check_archive(suite, vmdk):
    descriptor = ("t.ovf", images.ovf(vmdk))
    disk = ("t.vmdk", vmdk)
    sums = ("t.mf", images.manifest([descriptor, disk]))
    images.make_ova(suite.path("last.ova"), [descriptor, disk, sums])
    suite.expect("OVA: manifest at the end", 0, [], suite.path("last.ova"))
    broken(suite, "descriptor not first", [disk, descriptor, sums], "tar, first member: found t.vmdk, wanted the .ovf")
    broken(suite, "nothing in it", [], "archive: found no descriptor to begin with, wanted one")
    broken(suite, "no manifest", [descriptor, disk], "tar (manifest): found none, wanted t.mf")
    extra = ("a.txt", b"x")
    three = images.manifest([descriptor, disk, extra])
    broken(suite, "manifest in the middle, a file that is not referenced",
           [descriptor, disk, ("t.mf", three), extra],
           "t.mf (place in the archive): found member 3, wanted 2, after the descriptor, or 4, the last",
           "t.ovf (order of references): found 't.vmdk', wanted 't.vmdk a.txt'")
    wrong = sums[1].replace(b"SHA256(t.vmdk)= ", b"SHA256(t.vmdk)= 0")[:-2] + b"\n"
    broken(suite, "wrong digest", [descriptor, ("t.mf", wrong), disk], "t.mf (digest of t.vmdk): found '0")
    sha1 = sums[1].splitlines(True)[0] + b"SHA1(t.vmdk)= 00\n"
    broken(suite, "SHA-1", [descriptor, ("t.mf", sha1), disk],
           "t.mf, line 2: found 'SHA1(t.vmdk)= 00', wanted SHA256(FILE)= DIGEST",
           "t.mf (digest of t.vmdk): found none, wanted one")
    suite.patched("OVA: tar magic", "t.ova", {257: b"ustaR"}, "tar header, offset 0+257 (magic): found 'ustaR",
                  "tar header, offset 0+148 (checksum): found ")
    suite.patched("OVA: tar checksum", "t.ova", {148: b"000007\0 "}, "tar header, offset 0+148 (checksum): found 7, wanted ")
    suite.patched("OVA: tar size", "t.ova", {124: b"77777777777\0"}, "tar header, offset 0+148 (checksum): found ")


def check_descriptor(suite, vmdk):
    good = images.ovf(vmdk).decode()

    def edited(name, old, new, *wanted):
        assert old in good, old
        images.whole_ova(suite.path("x.ova"), vmdk, good.replace(old, new).encode())
        suite.expect(f"OVF: {name}", 1, [f"x.ova: t.ovf {w}" for w in wanted], suite.path("x.ova"))

    images.whole_ova(suite.path("x.ova"), vmdk, b"<Envelope")
    suite.expect("OVF: no XML", 1, ["x.ova: t.ovf: found no XML: "], suite.path("x.ova"))
    edited("size of a reference", f'size="{len(vmdk)}"', 'size="7"',
           f"(reference to t.vmdk), size: found '7', wanted '{len(vmdk)}'")
    edited("format", "#streamOptimized", "#sparse", "(disk d1), format: found 'http")
    edited("capacity", 'capacity="1"', 'capacity="2"', "(capacity of t.vmdk): found 2147483648, wanted 1073741824")
    edited("capacity in no units", "byte * 2^30", "furlong", "(disk d1), capacity: found 1, wanted a number and units",
           "(disks): found 0, wanted 1", "(hardware), disks: found 'ovf:/disk/d1', wanted nothing")
    edited("fileRef", 'fileRef="f1"', 'fileRef="f9"', "(disk d1), fileRef: found f9, wanted the id of a reference",
           "(disks): found 0, wanted 1", "(hardware), disks: found 'ovf:/disk/d1', wanted nothing")
    edited("networks", '<Network ovf:name="LAN"/>', '<Network ovf:name="lan"/>',
           "(networks): found 'WAN lan', wanted 'LAN WAN'")
    edited("hardware that is too old", "vmx-15", "vmx-10", "(hardware), VirtualSystemType: found vmx-10, wanted vmx-13")
    assert good.count("t.vmdk") == 1
    images.whole_ova(suite.path("x.ova"), vmdk, good.replace("t.vmdk", "u.vmdk").encode())
    suite.expect("OVF: reference to nothing", 1, [f"x.ova: t.ovf {w}" for w in (
        "(reference to u.vmdk): found no such member of the archive, wanted one",
        "(order of references): found nothing, wanted 't.vmdk'", "(disk d1), fileRef: found f1, wanted the id",
        "(disks): found 0, wanted 1", "(hardware), disks: found 'ovf:/disk/d1', wanted nothing")], suite.path("x.ova"))
    images.whole_ova(suite.path("x.ova"), vmdk, good.replace("VirtualHardwareSection", "OtherSection").encode())
    suite.expect("OVF: no hardware", 1, ["x.ova: t.ovf: found no VirtualHardwareSection, wanted one"], suite.path("x.ova"))


def check_hardware(suite, vmdk):
    for name, item, field, value, wanted in (
        ("processors", 0, "VirtualQuantity", "2", "processors: found '2', wanted '4'"),
        ("memory", 1, "VirtualQuantity", "1024", "memory: found '1024', wanted '4096'"),
        ("units of memory", 1, "AllocationUnits", "byte * 2^30", "memory units: found 'byte * 2^30'"),
        ("LSI Logic", 2, "ResourceSubType", "lsilogic", "SCSI controllers: found 'lsilogic', wanted 'VirtualSCSI'"),
        ("e1000", 4, "ResourceSubType", "E1000", "network cards: found 'e1000 vmxnet3', wanted 'vmxnet3 vmxnet3'"),
        ("cards exchanged", 4, "Connection", "LAN", "networks of the cards: found 'LAN LAN', wanted 'WAN LAN'"),
        ("another disk", 3, "HostResource", "ovf:/disk/d7", "disks: found 'ovf:/disk/d7', wanted 'ovf:/disk/d1'"),
        ("a disk at no controller", 3, "Parent", "9", "disk's parent: found 9, wanted the SCSI controller, 3"),
    ):
        items = copy.deepcopy(images.ITEMS)
        items[item][field] = value
        images.whole_ova(suite.path("x.ova"), vmdk, images.ovf(vmdk, items))
        suite.expect(f"OVF: {name}", 1, [f"x.ova: t.ovf (hardware), {wanted}"], suite.path("x.ova"))


def check_vmdk(suite, vmdk):
    def edited(name, changes, *wanted):
        data = bytearray(vmdk)
        for offset, new in changes.items():
            data[offset : offset + len(new)] = new
        images.whole_ova(suite.path("x.ova"), bytes(data))
        suite.expect(f"VMDK: {name}", 1, [f"x.ova: {w}" for w in wanted], suite.path("x.ova"))

    def worded(name, old, new, *wanted):
        at = vmdk.index(old)
        edited(name, {at: new}, *wanted)

    edited("magic", {0: b"COWD"}, "t.vmdk, offset 0 (magic): found 'COWD', wanted 'KDMV'")
    edited("version", {4: b"\1"}, "t.vmdk, offset 4 (version): found 1, wanted 3, streamOptimized")
    edited("flags", {10: b"\0"}, "t.vmdk, offset 8 (flags): found 0x")
    edited("grain size", {20: b"\x40"}, "t.vmdk, offset 20 (grain size): found 64, wanted 128")
    edited("entries in a table", {44: b"\0\1"}, "t.vmdk, offset 44 (entries in a grain table): found 256, wanted 512")
    edited("compression", {77: b"\0"}, "t.vmdk, offset 77 (compression): found 0, wanted 1, deflate")
    worded("createType", b'createType="streamOptimized"', b'createType="monolithicSpars"',
           "t.vmdk, descriptor (createType): found 'monolithicSpars', wanted 'streamOptimized'")
    worded("adapter", b'"lsilogic"', b'"ideideid"', "t.vmdk, descriptor (ddb.adapterType): found ideideid, wanted lsilogic")
    worded("extent", b"RW 2097152", b"RW 2097151", "t.vmdk, descriptor (extent): found RW 2097151 SPARSE")
    marker = (66 * images.MIB // 512).to_bytes(8, "little")
    at = vmdk.index(marker, 65536)
    edited("a grain of another place", {at: b"\7"}, "offset ")
    edited("a damaged grain", {at + 12: b"\0\0\0\0"}, "offset ")
