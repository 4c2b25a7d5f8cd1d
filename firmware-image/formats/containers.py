# SPDX-License-Identifier: GPL-2.0-only
"""
Each format's own structures: opening one checks them, and gives the disk that is inside.
"""
import struct
import zlib

from .disk import MIB, Qcow2Disk, RawDisk, VmdkDisk, file_read
from .findings import Unreadable
from .archive import Ova, unpack_gcp


class Image:
    """An image file: its disk, and what the clouds' rules want to know of it."""

    def __init__(self, path, kind, file, size):
        self.path, self.kind, self.file, self.size = path, kind, file, size
        self.disk = None
        self.facts = {}


def open_raw(image, findings):
    findings.want(image.size % MIB == 0, "file size", image.size, "a multiple of 1048576")
    image.disk = RawDisk(image.file, 0, image.size - image.size % 512)


# Microsoft's "Virtual Hard Disk Image Format Specification": a fixed disk is followed by its footer.
VHD = struct.Struct(">8sIIQI4sI4sQQHBBIII")


def open_vhd(image, findings):
    if image.size < 512 + MIB:
        raise Unreadable("file size", image.size, "a disk and its footer of 512 bytes")
    at = image.size - 512
    raw = file_read(image.file, at, 512, "footer")
    if not findings.equal(f"footer, offset {at} (cookie)", raw[:8], b"conectix"):
        raise Unreadable("footer", "none", "one in the last 512 bytes")
    (_, features, version, data, _, _, _, _, original, current, _, _, _, kind, checksum, _) = VHD.unpack_from(raw)
    findings.equal(f"footer, offset {at + 8} (features)", hex(features), "0x2")
    findings.equal(f"footer, offset {at + 12} (version)", hex(version), "0x10000")
    findings.equal(f"footer, offset {at + 16} (data offset)", hex(data), "0xffffffffffffffff")
    findings.equal(f"footer, offset {at + 40} (original size)", original, current)
    findings.equal(f"footer, offset {at + 48} (current size)", current, image.size - 512)
    findings.want(kind == 2, f"footer, offset {at + 60} (disk type)", kind, "2, fixed")
    summed = ~(sum(raw) - sum(raw[64:68])) & 0xFFFFFFFF
    findings.equal(f"footer, offset {at + 64} (checksum)", hex(checksum), hex(summed))
    image.disk = RawDisk(image.file, 0, min(current, image.size - 512))


QCOW2 = struct.Struct(">4sIQIIQIIQQIIQ")
INCOMPATIBLE = {0: "dirty", 1: "corrupt", 2: "external data file", 3: "compression other than zlib",
                4: "extended L2 entries"}


def open_qcow2(image, findings):
    raw = file_read(image.file, 0, 112, "header")
    (magic, version, backing, _, bits, size, crypt, l1_size, l1, _, _, snapshots, _) = QCOW2.unpack_from(raw)
    if not findings.equal("header, offset 0 (magic)", magic, b"QFI\xfb"):
        raise Unreadable("header", "no qcow2", "qcow2")
    known = findings.want(version in (2, 3), "header, offset 4 (version)", version, "2 or 3")
    findings.want(not backing, "header, offset 8 (backing file)", f"one at offset {backing}", "none")
    good = findings.want(9 <= bits <= 21, "header, offset 20 (cluster bits)", bits, "9 to 21")
    findings.want(crypt == 0, "header, offset 32 (encryption)", crypt, "0, none")
    findings.want(snapshots == 0, "header, offset 60 (snapshots)", snapshots, 0)
    features = struct.unpack_from(">Q", raw, 72)[0] if version >= 3 else 0
    for bit in range(64):
        if features >> bit & 1:
            findings.want(False, "header, offset 72 (incompatible features)", INCOMPATIBLE.get(bit, f"bit {bit}"),
                          "none, which old readers would refuse")
    findings.checks += 1
    if not known or not good or backing or crypt or features & ~3:
        raise Unreadable("clusters", "an image that cannot be read whole", "one without all that")
    image.facts["cluster"] = 1 << bits
    image.disk = Qcow2Disk(image.file, {"size": size, "cluster_bits": bits, "version": version,
                                        "l1_size": l1_size, "l1_table_offset": l1})


VMDK = struct.Struct("<4sIIQQQQIQQQB4sH")


def vmdk_header(raw):
    (magic, version, flags, capacity, grain, text, text_size, gtes, _, gd, _, _, _, compress) = VMDK.unpack_from(raw)
    return {"magic": magic, "version": version, "flags": flags, "capacity": capacity, "grain_size": grain,
            "text": text, "text_size": text_size, "gtes_per_gt": gtes, "gd_offset": gd, "compress": compress}


def open_vmdk(file, start, size, name, findings):
    """A VMDK inside an OVA; its disk, or None."""
    at = f"{name}, offset "
    if not findings.want(size >= 2048, f"{name} (size)", size, "a VMDK"):
        return None
    header = vmdk_header(file_read(file, start, 512, name))
    if not findings.equal(f"{at}0 (magic)", header["magic"], b"KDMV"):
        return None
    findings.want(header["version"] == 3, f"{at}4 (version)", header["version"], "3, streamOptimized")
    flags = header["flags"]
    findings.want(flags & 0x30000 == 0x30000, f"{at}8 (flags)", hex(flags), "0x30001: compressed, with markers")
    findings.want(header["compress"] == 1, f"{at}77 (compression)", header["compress"], "1, deflate")
    findings.want(header["grain_size"] == 128, f"{at}20 (grain size)", header["grain_size"], 128)
    findings.want(header["gtes_per_gt"] == 512, f"{at}44 (entries in a grain table)", header["gtes_per_gt"], 512)
    text = file_read(file, start + header["text"] * 512, min(header["text_size"], 128) * 512, f"{name}, descriptor")
    lines = [line.strip() for line in text.split(b"\0")[0].decode("ascii", "replace").splitlines()]
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    values = {key.strip(): value.strip().strip('"') for key, value in values.items()}
    findings.equal(f"{name}, descriptor (createType)", values.get("createType"), "streamOptimized")
    findings.want(values.get("ddb.adapterType") in ("lsilogic", "pvscsi"), f"{name}, descriptor (ddb.adapterType)",
                  values.get("ddb.adapterType"), "lsilogic, the name of SCSI disks, or pvscsi")
    extent = next((line.split() for line in lines if line.startswith("RW ")), [])
    findings.want(len(extent) >= 3 and extent[1] == str(header["capacity"]) and extent[2] == "SPARSE",
                  f"{name}, descriptor (extent)", " ".join(extent) or "none", f"RW {header['capacity']} SPARSE")
    if header["gd_offset"] == 0xFFFFFFFFFFFFFFFF:
        footer = vmdk_header(file_read(file, start + size - 1024, 512, f"{name}, footer"))
        if not findings.equal(f"{at}{size - 1024} (footer)", footer["magic"], b"KDMV"):
            return None
        header["gd_offset"] = footer["gd_offset"]
    if header["grain_size"] != 128 or header["gtes_per_gt"] != 512 or flags & 0x30000 != 0x30000:
        return None
    return VmdkDisk(file, start, header)


def open_ova(image, findings):
    ova = Ova(image.file, image.size, findings)
    disks = ova.check()
    image.facts["ova"] = ova
    for name, (start, size), capacity in disks:
        disk = open_vmdk(image.file, start, size, name, findings)
        if disk:
            findings.equal(f"{ova.descriptor} (capacity of {name})", capacity, disk.size)
            image.disk = disk


def open_gcp(image, findings):
    try:
        image.disk = unpack_gcp(image.file, findings)
    except zlib.error as error:
        raise Unreadable("gzip", str(error), "one whole gzip stream") from error


OPENERS = {".raw": open_raw, ".vhd": open_vhd, ".qcow2": open_qcow2, ".ova": open_ova, ".tar.gz": open_gcp}
