# SPDX-License-Identifier: GPL-2.0-only
"""What every cloud's firmware and our own first boot look for on the disk: GPT, BIOS and EFI loaders."""
import struct
import uuid
import zlib

from .disk import MIB

BIOS_BOOT = uuid.UUID("21686148-6449-6e6f-744e-656564454649")
ESP = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
LINUX = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
ROOT_X86_64 = uuid.UUID("4f68bce3-e8cd-4db1-96e7-fbcaf984b709")
LABELS = ["bios", "esp", "slot-a", "slot-b", "data"]
HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
SECTOR = 512


class Partition:
    def __init__(self, entry):
        self.kind = uuid.UUID(bytes_le=entry[:16])
        self.first, self.last = struct.unpack_from("<QQ", entry, 32)
        self.label = entry[56:128].decode("utf-16-le", "replace").split("\0")[0]

    def offset(self):
        return self.first * SECTOR

    def size(self):
        return (self.last + 1 - self.first) * SECTOR


def read_header(disk, findings, lba, other, what):
    """A GPT header and its entries; None if there is nothing to go by."""
    raw = disk.read(lba * SECTOR, SECTOR)
    at = f"{what} GPT header, offset {lba * SECTOR}"
    if not findings.equal(f"{at} (signature)", raw[:8], b"EFI PART"):
        return None
    (_, revision, size, crc, _, own, alternate, first, last, guid, table, count, width, table_crc) = (
        HEADER.unpack_from(raw)
    )
    findings.equal(f"{at}+8 (revision)", hex(revision), "0x10000")
    if not findings.want(92 <= size <= SECTOR, f"{at}+12 (header size)", size, "92 to 512"):
        return None
    blank = raw[:16] + b"\0\0\0\0" + raw[20:size]
    findings.equal(f"{at}+16 (header CRC)", hex(crc), hex(zlib.crc32(blank)))
    findings.equal(f"{at}+24 (own sector)", own, lba)
    findings.equal(f"{at}+32 (other header's sector)", alternate, other)
    good = findings.want(width == 128 and 0 < count <= 1024, f"{at}+80 (entries)",
                         f"{count} of {width} bytes", "at most 1024 of 128 bytes")
    end = table * SECTOR + count * width
    if not good or not findings.want(end <= disk.size, f"{at}+72 (sector of the entries)", table,
                                     "entries that end inside the disk"):
        return None
    entries = disk.read(table * SECTOR, count * width)
    findings.equal(f"{at}+88 (CRC of the entries)", hex(table_crc), hex(zlib.crc32(entries)))
    return {"first": first, "last": last, "guid": guid, "entries": entries}


def check_mbr(disk, findings, sectors):
    mbr = disk.read(0, SECTOR)
    findings.equal("MBR, offset 510 (signature)", mbr[510:], b"\x55\xaa")
    findings.equal("MBR, offset 450 (type of the first entry)", hex(mbr[450]), "0xee")
    span = struct.unpack_from("<I", mbr, 458)[0]
    findings.want(span in (sectors - 1, 0xFFFFFFFF), "MBR, offset 458 (sectors protected)", span, sectors - 1)
    findings.want(any(mbr[:440]), "MBR, offset 0 (boot code)", "440 zero bytes", "GRUB's boot.img, for BIOS")


def check_layout(disk, findings, header):
    entries = header["entries"]
    parts = [Partition(entries[i : i + 128]) for i in range(0, len(entries), 128) if any(entries[i : i + 16])]
    findings.equal("GPT (partition labels)", " ".join(p.label for p in parts), " ".join(LABELS))
    end = header["first"]
    for part in sorted(parts, key=lambda p: p.first):
        findings.want(end <= part.first <= part.last <= header["last"], f"partition {part.label} (sectors)",
                      f"{part.first} to {part.last}", f"between {end} and {header['last']}")
        findings.want(part.first * SECTOR % MIB == 0, f"partition {part.label} (start)",
                      f"offset {part.first * SECTOR}", "a multiple of 1048576")
        end = part.last + 1
    return {part.label: part for part in parts if part.last * SECTOR < disk.size}


def check_disk(disk, findings):
    """Partitions and what has to be in them."""
    sectors = disk.size // SECTOR
    findings.want(disk.size % MIB == 0, "virtual size", disk.size, "a multiple of 1048576")
    if not findings.want(sectors > 2048, "virtual size", disk.size, "room for a GPT"):
        return
    check_mbr(disk, findings, sectors)
    primary = read_header(disk, findings, 1, sectors - 1, "primary")
    backup = read_header(disk, findings, sectors - 1, 1, "backup")
    if not primary:
        return
    if backup:
        findings.want(backup["guid"] == primary["guid"] and backup["entries"] == primary["entries"],
                      "backup GPT", "another disk GUID or other entries", "those of the primary one")
    parts = check_layout(disk, findings, primary)
    kinds = {"bios": BIOS_BOOT, "esp": ESP, "slot-a": ROOT_X86_64, "slot-b": ROOT_X86_64, "data": LINUX}
    for label, kind in kinds.items():
        if label in parts:
            findings.equal(f"partition {label} (type)", str(parts[label].kind), str(kind))
    if "bios" in parts:
        findings.want(any(disk.read(parts["bios"].offset(), SECTOR)), "partition bios (first sector)", "zeros",
                      "GRUB's core.img")
    if "slot-a" in parts:
        findings.equal("partition slot-a (file system)", disk.read(parts["slot-a"].offset(), 4), b"hsqs")
    if "data" in parts:
        findings.equal("partition data (file system)", disk.read(parts["data"].offset() + 1080, 2), b"\x53\xef")
    if "esp" in parts:
        fat = Fat(disk, parts["esp"])
        if findings.want(fat.good, "partition esp (file system)", "something else", "FAT16 or FAT32"):
            findings.want(fat.has(["EFI", "BOOT", "BOOTX64.EFI"]), "partition esp",
                          "no /EFI/BOOT/BOOTX64.EFI", "one: no cloud keeps EFI variables for an image")


class Fat:
    """Enough of FAT to find a file by its short name."""

    def __init__(self, disk, part):
        boot = disk.read(part.offset(), SECTOR)
        self.disk, self.good = disk, False
        (self.sector, self.per_cluster, reserved, copies, entries, _, _, per_fat) = struct.unpack_from(
            "<HBHBHHBH", boot, 11
        )
        per_fat = per_fat or struct.unpack_from("<I", boot, 36)[0]
        if boot[510:] != b"\x55\xaa" or self.sector != SECTOR or not self.per_cluster or not copies or not per_fat:
            return
        self.fat = part.offset() + reserved * SECTOR
        self.root = self.fat + copies * per_fat * SECTOR
        self.root_size = entries * 32
        self.data = self.root + self.root_size
        self.end = part.offset() + part.size()
        self.wide = boot[82:87] == b"FAT32"
        self.root_cluster = struct.unpack_from("<I", boot, 44)[0] if self.wide else 0
        self.good = self.wide or boot[54:59] == b"FAT16"

    def following(self, cluster):
        width = 4 if self.wide else 2
        raw = self.disk.read(self.fat + cluster * width, width)
        value = int.from_bytes(raw, "little") & (0x0FFFFFFF if self.wide else 0xFFFF)
        return value if 2 <= value < (0x0FFFFFF8 if self.wide else 0xFFF8) else 0

    def directory(self, cluster):
        if not cluster:
            return self.disk.read(self.root, self.root_size)
        data, size = b"", self.per_cluster * SECTOR
        while cluster and len(data) < MIB:
            offset = self.data + (cluster - 2) * size
            if offset + size > self.end:
                break
            data += self.disk.read(offset, size)
            cluster = self.following(cluster)
        return data

    def has(self, path):
        cluster = self.root_cluster
        for i, name in enumerate(path):
            stem, _, tail = name.partition(".")
            wanted = f"{stem:8}{tail:3}".encode()
            data = self.directory(cluster)
            entries = (data[at : at + 32] for at in range(0, len(data), 32))
            entry = next((e for e in entries if e[:11] == wanted and not e[11] & 8), None)
            if entry is None:
                return False
            high, low = struct.unpack_from("<H4xH", entry, 20)
            cluster = high << 16 | low
            if i + 1 < len(path) and not (entry[11] & 16 and cluster):
                return False
        return struct.unpack_from("<I", entry, 28)[0] > 0
