# SPDX-License-Identifier: GPL-2.0-only
"""
The bytes of a virtual disk, out of each format. A disk has a size, read(offset, length), and
pieces(): (offset, bytes) in ascending order, of all that may be other than zero. These are readers of
their own: qemu-img, which writes the images, is not asked what is in them.
"""
import hashlib
import os
import struct
import zlib

from .findings import Unreadable

MIB = 1 << 20
GIB = 1 << 30
PIECE = 4 * MIB


class Disk:
    size = 0

    def read(self, offset, length):
        raise NotImplementedError

    def pieces(self):
        for offset in range(0, self.size, PIECE):
            yield offset, self.read(offset, min(PIECE, self.size - offset))

    def digest(self):
        """SHA-256 of what a guest would read."""
        digest, at = hashlib.sha256(), 0
        zero = bytes(MIB)
        for offset, data in self.pieces():
            while at < offset:
                step = min(MIB, offset - at)
                digest.update(zero[:step])
                at += step
            digest.update(data)
            at += len(data)
        while at < self.size:
            step = min(MIB, self.size - at)
            digest.update(zero[:step])
            at += step
        return digest.hexdigest()


class RawDisk(Disk):
    """A range of a file."""

    def __init__(self, file, start, size):
        self.file, self.start, self.size = file, start, size

    def read(self, offset, length):
        if offset + length > self.size:
            raise Unreadable(f"offset {offset} of the disk", f"its end at {self.size}", f"{length} bytes")
        return file_read(self.file, self.start + offset, length, "disk")


class ClusterDisk(Disk):
    """Made of clusters that lie anywhere in the file, or nowhere."""

    cluster = 65536

    def load(self, number):
        """The bytes of a cluster; None: all zero."""
        raise NotImplementedError

    def numbers(self):
        """Of the clusters that are not all zero, ascending."""
        raise NotImplementedError

    def read(self, offset, length):
        data = bytearray()
        while length:
            number, skip = divmod(offset, self.cluster)
            step = min(length, self.cluster - skip)
            part = self.load(number) or bytes(self.cluster)
            data += part[skip : skip + step]
            offset, length = offset + step, length - step
        return bytes(data)

    def pieces(self):
        for number in self.numbers():
            offset = number * self.cluster
            data = self.load(number)
            if data and offset < self.size:
                yield offset, data[: self.size - offset]


def file_read(file, offset, length, what):
    """Exactly so many bytes, or the file ends too early."""
    data = file_read_most(file, offset, length)
    if len(data) < length:
        raise Unreadable(
            f"offset {offset} ({what})", f"the end of the file after {len(data)} bytes", f"{length} bytes"
        )
    return data


def file_read_most(file, offset, length):
    """As many as there are: none far behind the end, where no file system lets anybody seek."""
    end = file.seek(0, os.SEEK_END)
    if offset >= end:
        return b""
    file.seek(offset)
    return file.read(min(length, end - offset))


class Qcow2Disk(ClusterDisk):
    """QEMU's docs/interop/qcow2.txt, for images without backing file and encryption."""

    def __init__(self, file, header):
        self.file = file
        self.size = header["size"]
        self.bits = header["cluster_bits"]
        self.cluster = 1 << self.bits
        self.version = header["version"]
        entries = self.cluster // 8
        wanted = -(-self.size // (self.cluster * entries))
        if header["l1_size"] < wanted:
            raise Unreadable(
                "header, l1_size at offset 36", header["l1_size"], f"{wanted}, for the virtual size"
            )
        table = file_read(file, header["l1_table_offset"], wanted * 8, "L1 table")
        self.l2 = {}
        for number, entry in enumerate(struct.unpack(f">{wanted}Q", table)):
            offset = entry & 0x00FFFFFFFFFFFE00
            if offset:
                data = file_read(file, offset, self.cluster, f"L2 table {number}")
                self.l2[number] = struct.unpack(f">{entries}Q", data)

    def entry(self, number):
        table, index = divmod(number, self.cluster // 8)
        return self.l2[table][index] if table in self.l2 else 0

    def numbers(self):
        last = -(-self.size // self.cluster)
        for table in sorted(self.l2):
            base = table * (self.cluster // 8)
            for index, entry in enumerate(self.l2[table]):
                if entry and base + index < last:
                    yield base + index

    def load(self, number):
        entry = self.entry(number)
        if entry & (1 << 62):
            return self.inflate(number, entry)
        if not entry & 0x00FFFFFFFFFFFE00 or (self.version > 2 and entry & 1):
            return None
        return file_read(self.file, entry & 0x00FFFFFFFFFFFE00, self.cluster, f"cluster {number}")

    def inflate(self, number, entry):
        shift = 62 - (self.bits - 8)
        offset = entry & ((1 << shift) - 1)
        sectors = ((entry & ((1 << 62) - 1)) >> shift) + 1
        packed = file_read_most(self.file, offset, sectors * 512 - offset % 512)
        try:
            data = zlib.decompressobj(-15).decompress(packed, self.cluster)
        except zlib.error as error:
            raise Unreadable(f"offset {offset} (cluster {number})", str(error), "deflated data") from error
        if len(data) < self.cluster:
            raise Unreadable(
                f"offset {offset} (cluster {number})", f"{len(data)} bytes inflated", f"{self.cluster}"
            )
        return data


class VmdkDisk(ClusterDisk):
    """A stream-optimized extent: "Virtual Disk Format 5.0", VMware."""

    def __init__(self, file, start, header):
        self.file, self.start = file, start
        self.size = header["capacity"] * 512
        self.cluster = header["grain_size"] * 512
        per_table = header["gtes_per_gt"]
        tables = -(-header["capacity"] // (header["grain_size"] * per_table))
        data = self.at(header["gd_offset"] * 512, tables * 4, "grain directory")
        self.grains = {}
        for number, sector in enumerate(struct.unpack(f"<{tables}I", data)):
            if not sector:
                continue
            table = self.at(sector * 512, per_table * 4, f"grain table {number}")
            for index, grain in enumerate(struct.unpack(f"<{per_table}I", table)):
                if grain > 1:
                    self.grains[number * per_table + index] = grain * 512

    def at(self, offset, length, what):
        return file_read(self.file, self.start + offset, length, what)

    def numbers(self):
        return sorted(self.grains)

    def load(self, number):
        if number not in self.grains:
            return None
        offset = self.grains[number]
        where = f"offset {self.start + offset} (grain {number})"
        lba, size = struct.unpack("<QI", self.at(offset, 12, f"grain {number}"))
        if lba * 512 != number * self.cluster:
            raise Unreadable(where, f"sector {lba} in its marker", number * self.cluster // 512)
        try:
            data = zlib.decompress(self.at(offset + 12, size, f"grain {number}"))
        except zlib.error as error:
            raise Unreadable(where, str(error), "deflated data") from error
        return data.ljust(self.cluster, b"\0")
