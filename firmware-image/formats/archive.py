# SPDX-License-Identifier: GPL-2.0-only
"""The two formats that are archives: Google's tar of a disk.raw, and OVA (DMTF DSP0243)."""
import hashlib
import re
import tempfile
import xml.etree.ElementTree as xml
import zlib

from .disk import GIB, MIB, RawDisk, file_read
from .findings import Unreadable, show

BLOCK = 512


def tar_number(field, where):
    """Octal, or what GNU tar does beyond 8 GiB: a bit, and the number in base 256."""
    if field[0] & 0x80:
        return int.from_bytes(field, "big") & ~(0x80 << 8 * (len(field) - 1))
    text = field.strip(b" \0")
    if not re.fullmatch(rb"[0-7]+", text):
        raise Unreadable(where, "no octal number", "one")
    return int(text, 8)


class TarHeader:
    def __init__(self, raw, at):
        self.where = f"tar header, offset {at}"
        self.name = raw[:100].split(b"\0")[0].decode("utf-8", "replace")
        self.size = tar_number(raw[124:136], f"{self.where}+124 (size)")
        self.kind = raw[156:157]
        self.magic = raw[257:265]
        self.stored = tar_number(raw[148:156], f"{self.where}+148 (checksum)")
        self.summed = sum(raw) - sum(raw[148:156]) + 8 * 32
        self.raw = raw

    def padded(self):
        return -(-self.size // BLOCK) * BLOCK


# ---- Google ----


class GzipStream:
    """What is inside one gzip stream, in order."""

    def __init__(self, file):
        self.file, self.at = file, 0
        self.inflate = zlib.decompressobj(31)
        self.data = b""

    def read(self, length):
        parts = []
        while length:
            if not self.data:
                self.data = self.more()
                if not self.data:
                    break
            part, self.data = self.data[:length], self.data[length:]
            parts.append(part)
            length -= len(part)
            self.at += len(part)
        return b"".join(parts)

    def more(self):
        while not self.inflate.eof:
            packed = self.inflate.unconsumed_tail or self.file.read(MIB)
            if not packed:
                raise Unreadable("gzip", "the end of the file", "the end of the gzip stream before it")
            data = self.inflate.decompress(packed, MIB)
            if data:
                return data
        return b""

    def trailing(self):
        return len(self.inflate.unused_data) + len(self.file.read())


def sparse_map(raw, stream):
    """Old GNU format: up to 4 pieces in the header, 21 in each block that follows it."""
    pieces, more = read_pieces(raw, 386, 4), raw[482]
    while more:
        block = stream.read(BLOCK)
        if len(block) < BLOCK:
            raise Unreadable(f"tar, offset {stream.at}", "the end", "the rest of the map of a sparse file")
        pieces += read_pieces(block, 0, 21)
        more = block[504]
    return pieces, tar_number(raw[483:495], "tar header, offset 0+483 (size of the sparse file)")


def read_pieces(raw, at, count):
    fields = [raw[i : i + 24] for i in range(at, at + count * 24, 24)]
    where = "tar, map of the sparse file"
    return [(tar_number(f[:12], where), tar_number(f[12:], where)) for f in fields if f[0]]


def unpack_gcp(file, findings):
    """disk.raw as an unnamed sparse file."""
    file.seek(0)
    if not findings.equal("offset 0 (gzip magic)", file.read(2), b"\x1f\x8b"):
        raise Unreadable("archive", "something else", "gzip")
    file.seek(0)
    stream = GzipStream(file)
    header = TarHeader(stream.read(BLOCK).ljust(BLOCK, b"\0"), 0)
    findings.equal(f"{header.where} (name)", header.name, "disk.raw")
    findings.want(header.magic == b"ustar  \0", f"{header.where}+257 (magic)", show(header.magic),
                  "that of --format=oldgnu")
    findings.equal(f"{header.where}+148 (checksum)", header.stored, header.summed)
    if not findings.want(header.kind in (b"0", b"\0", b"S"), f"{header.where}+156 (type)", show(header.kind),
                         "0, a file, or S, a sparse one"):
        raise Unreadable("archive", "no file", "disk.raw")
    pieces, size = ([(0, header.size)], header.size) if header.kind != b"S" else sparse_map(header.raw, stream)
    findings.want(size and size % GIB == 0, f"{header.where} (size of disk.raw)", size,
                  "a multiple of 1073741824")
    if size > 64 << 40:
        raise Unreadable(f"{header.where} (size of disk.raw)", size, "at most 64 TiB")
    disk = tempfile.TemporaryFile()
    disk.truncate(size)
    for offset, length in pieces:
        copy_piece(stream, disk, offset, length, size)
    stream.read(header.padded() - header.size)
    check_end(stream, findings)
    return RawDisk(disk, 0, size)


def copy_piece(stream, disk, offset, length, size):
    if offset + length > size:
        raise Unreadable("tar, map of the sparse file", f"a piece up to {offset + length}", f"up to {size}")
    while length:
        data = stream.read(min(MIB, length))
        if not data:
            raise Unreadable(f"tar, offset {stream.at}", "the end", f"{length} more bytes of disk.raw")
        if data.count(0) != len(data):
            disk.seek(offset)
            disk.write(data)
        offset, length = offset + len(data), length - len(data)


def check_end(stream, findings):
    rest = stream.read(2 * BLOCK)
    findings.want(not any(rest) and len(rest) == 2 * BLOCK, f"tar, offset {stream.at - len(rest)} (after disk.raw)",
                  "another member, or the end" if len(rest) == 2 * BLOCK else f"{len(rest)} bytes",
                  "the end of the archive: two blocks of zeros")
    while stream.read(MIB):
        pass
    findings.want(stream.trailing() == 0, "gzip", "bytes after the end of the stream", "none")


# ---- OVA ----

OVF = "{http://schemas.dmtf.org/ovf/envelope/1}"
CIM = "{http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_"
RASD = CIM + "ResourceAllocationSettingData}"
VSSD = CIM + "VirtualSystemSettingData}"
STREAM = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"
UNITS = re.compile(r"byte(?:\s*\*\s*2\^(\d+))?")


class Ova:
    def __init__(self, file, size, findings):
        self.file, self.size, self.findings = file, size, findings
        self.members = {}  # name: (offset, size), in the order of the archive
        self.descriptor = ""

    def check(self):
        """[(name, (offset, size), capacity in bytes)] of the disks."""
        self.read_members()
        names = list(self.members)
        if not names or not self.findings.want(names[0].endswith(".ovf"), "tar, first member", names[0], "the .ovf"):
            raise Unreadable("archive", "no descriptor to begin with", "one")
        self.descriptor = names[0]
        self.check_manifest(names)
        try:
            tree = xml.fromstring(self.content(self.descriptor))
        except xml.ParseError as error:
            raise Unreadable(f"{self.descriptor}", f"no XML: {error}", "an OVF envelope") from error
        self.findings.equal(f"{self.descriptor} (root element)", tree.tag, OVF + "Envelope")
        files = self.check_references(tree, names)
        disks = self.check_disks(tree, files)
        self.check_hardware(tree, disks)
        return [(disks[d]["name"], self.members[disks[d]["name"]], disks[d]["capacity"]) for d in disks]

    def read_members(self):
        at = 0
        while at + BLOCK <= self.size:
            raw = file_read(self.file, at, BLOCK, "tar header")
            if not any(raw):
                break
            header = TarHeader(raw, at)
            self.findings.want(header.magic[:5] == b"ustar", f"{header.where}+257 (magic)", show(header.magic), "ustar")
            self.findings.equal(f"{header.where}+148 (checksum)", header.stored, header.summed)
            self.findings.want(header.kind in (b"0", b"\0"), f"{header.where}+156 (type)", show(header.kind), "a file")
            if at + BLOCK + header.size > self.size:
                raise Unreadable(f"{header.where} (size of {header.name})", header.size,
                                 f"at most {self.size - at - BLOCK}, up to the end of the file")
            self.members[header.name] = (at + BLOCK, header.size)
            at += BLOCK + header.padded()

    def content(self, name):
        offset, size = self.members[name]
        return file_read(self.file, offset, min(size, MIB), name)

    def digest(self, name):
        offset, size = self.members[name]
        digest = hashlib.sha256()
        for at in range(offset, offset + size, MIB):
            digest.update(file_read(self.file, at, min(MIB, offset + size - at), name))
        return digest.hexdigest()

    def check_manifest(self, names):
        wanted = self.descriptor[:-4] + ".mf"
        if not self.findings.want(wanted in names, "tar (manifest)", "none", wanted):
            return
        self.findings.want(names.index(wanted) in (1, len(names) - 1), f"{wanted} (place in the archive)",
                           f"member {names.index(wanted) + 1}", f"2, after the descriptor, or {len(names)}, the last")
        sums = {}
        for number, line in enumerate(self.content(wanted).decode("ascii", "replace").splitlines(), 1):
            match = re.fullmatch(r"SHA256\((.+)\)= ([0-9a-f]{64})", line)
            if self.findings.want(match, f"{wanted}, line {number}", f"'{line}'", "SHA256(FILE)= DIGEST"):
                sums[match[1]] = match[2]
        for name in names:
            if name != wanted and self.findings.want(name in sums, f"{wanted} (digest of {name})", "none", "one"):
                self.findings.equal(f"{wanted} (digest of {name})", sums[name], self.digest(name))

    def check_references(self, tree, names):
        files = {}
        for file in tree.iterfind(f"{OVF}References/{OVF}File"):
            name, size = file.get(OVF + "href", ""), file.get(OVF + "size", "")
            at = f"{self.descriptor} (reference to {name})"
            if self.findings.want(name in self.members, at, "no such member of the archive", "one"):
                self.findings.equal(f"{at}, size", size, str(self.members[name][1]))
                files[file.get(OVF + "id")] = name
        rest = [name for name in names[1:] if not name.endswith(".mf")]
        self.findings.equal(f"{self.descriptor} (order of references)", " ".join(files.values()), " ".join(rest))
        return files

    def check_disks(self, tree, files):
        disks = {}
        for disk in tree.iterfind(f"{OVF}DiskSection/{OVF}Disk"):
            name = files.get(disk.get(OVF + "fileRef"))
            at = f"{self.descriptor} (disk {disk.get(OVF + 'diskId')})"
            self.findings.equal(f"{at}, format", disk.get(OVF + "format"), STREAM)
            units = UNITS.fullmatch(disk.get(OVF + "capacityAllocationUnits", "byte"))
            capacity = disk.get(OVF + "capacity", "")
            good = self.findings.want(units and capacity.isdigit(), f"{at}, capacity", capacity, "a number and units")
            if self.findings.want(name, f"{at}, fileRef", disk.get(OVF + "fileRef"), "the id of a reference") and good:
                disks[disk.get(OVF + "diskId")] = {"name": name, "capacity": int(capacity) << int(units[1] or 0)}
        self.findings.equal(f"{self.descriptor} (disks)", len(disks), 1)
        return disks

    def check_hardware(self, tree, disks):
        hardware = tree.find(f".//{OVF}VirtualHardwareSection")
        if hardware is None:
            raise Unreadable(self.descriptor, "no VirtualHardwareSection", "one")
        at = f"{self.descriptor} (hardware)"
        kind = hardware.findtext(f"{OVF}System/{VSSD}VirtualSystemType", "")
        version = re.fullmatch(r"vmx-(\d+)", kind)
        self.findings.want(version and 13 <= int(version[1]) <= 21, f"{at}, VirtualSystemType", kind or "none",
                           "vmx-13 (ESXi 6.5) to vmx-21 (ESXi 8.0)")
        items = {}
        for item in hardware.iterfind(f"{OVF}Item"):
            values = {field.tag.replace(RASD, ""): (field.text or "").strip() for field in item}
            items.setdefault(values.get("ResourceType"), []).append(values)

        def values(kind, name):
            return [item.get(name, "") for item in items.get(kind, [])]

        self.findings.equal(f"{at}, processors", " ".join(values("3", "VirtualQuantity")), "4")
        self.findings.equal(f"{at}, memory", " ".join(values("4", "VirtualQuantity")), "4096")
        self.findings.equal(f"{at}, memory units", " ".join(values("4", "AllocationUnits")), "byte * 2^20")
        self.findings.equal(f"{at}, SCSI controllers", " ".join(values("6", "ResourceSubType")), "VirtualSCSI")
        self.findings.equal(f"{at}, network cards", " ".join(values("10", "ResourceSubType")).lower(), "vmxnet3 vmxnet3")
        self.findings.equal(f"{at}, networks of the cards", " ".join(values("10", "Connection")), "WAN LAN")
        named = [n.get(OVF + "name") for n in tree.iterfind(f"{OVF}NetworkSection/{OVF}Network")]
        self.findings.equal(f"{self.descriptor} (networks)", " ".join(sorted(map(str, named))), "LAN WAN")
        self.findings.equal(f"{at}, disks", " ".join(values("17", "HostResource")),
                            " ".join(f"ovf:/disk/{disk}" for disk in disks))
        controllers = values("6", "InstanceID")
        self.findings.want(all(parent in controllers for parent in values("17", "Parent")), f"{at}, disk's parent",
                           " ".join(values("17", "Parent")), f"the SCSI controller, {' '.join(controllers)}")
