# SPDX-License-Identifier: GPL-2.0-only
"""Small images of every format that verify finds nothing wrong with, made by other programs than it."""
import hashlib
import os
import random
import struct
import subprocess
import tarfile

MIB = 1 << 20
GIB = 1 << 30
# Types by the names that sfdisk has for them: it knows their numbers from elsewhere than verify does.
LAYOUT = """label: gpt
label-id: 6E657470-6173-4000-8000-000000000001
first-lba: 2048
start=1MiB, size=1MiB, type="BIOS boot", name=bios
start=2MiB, size=64MiB, type="EFI System", name=esp
start=66MiB, size=64MiB, type="Linux root (x86-64)", name=slot-a
start=130MiB, size=64MiB, type="Linux root (x86-64)", name=slot-b
start=194MiB, type="Linux filesystem", name=data
"""
OVF = """<?xml version="1.0"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
  xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
  xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData">
 <References><File ovf:id="f1" ovf:href="t.vmdk" ovf:size="{size}"/></References>
 <DiskSection><Info/><Disk ovf:diskId="d1" ovf:fileRef="f1" ovf:capacity="1"
  ovf:capacityAllocationUnits="byte * 2^30"
  ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/></DiskSection>
 <NetworkSection><Info/><Network ovf:name="WAN"/><Network ovf:name="LAN"/></NetworkSection>
 <VirtualSystem ovf:id="netpas"><Info/><VirtualHardwareSection><Info/>
  <System><vssd:VirtualSystemType>vmx-15</vssd:VirtualSystemType></System>
  {items}
 </VirtualHardwareSection></VirtualSystem>
</Envelope>
"""
ITEMS = [
    {"InstanceID": "1", "ResourceType": "3", "VirtualQuantity": "4"},
    {"AllocationUnits": "byte * 2^20", "InstanceID": "2", "ResourceType": "4", "VirtualQuantity": "4096"},
    {"InstanceID": "3", "ResourceSubType": "VirtualSCSI", "ResourceType": "6"},
    {"HostResource": "ovf:/disk/d1", "InstanceID": "4", "Parent": "3", "ResourceType": "17"},
    {"AddressOnParent": "7", "Connection": "WAN", "InstanceID": "5", "ResourceSubType": "VmxNet3",
     "ResourceType": "10"},
    {"AddressOnParent": "8", "Connection": "LAN", "InstanceID": "6", "ResourceSubType": "VmxNet3",
     "ResourceType": "10"},
]


def run(*command, **more):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **more)


def make_esp(path, bits):
    run("mkfs.vfat", "--invariant", "-i", "6e657470", "-F", bits, "-s", "1" if bits == "32" else "4", "-C", path, "65536")
    with open(path + ".efi", "wb") as file:
        file.write(b"MZ" + bytes(1000))
    run("mmd", "-i", path, "::/EFI", "::/EFI/BOOT")
    run("mcopy", "-i", path, path + ".efi", "::/EFI/BOOT/BOOTX64.EFI")


def make_raw(path, esp, size=GIB):
    with open(path, "wb") as file:
        file.truncate(size)
    run("sfdisk", "-q", path, input=LAYOUT.encode())
    with open(path, "r+b") as file, open(esp, "rb") as boot:
        file.write(b"\xeb\x63" + b"boot" * 100)
        file.seek(MIB)
        file.write(b"core")
        for at in range(0, 64 * MIB, MIB):
            data = boot.read(MIB)
            if any(data):
                file.seek(2 * MIB + at)
                file.write(data)
        file.seek(66 * MIB)
        file.write(b"hsqs" + random.Random(1).randbytes(300000))
        file.seek(194 * MIB + 1080)
        file.write(b"\x53\xef")


def convert(raw, path, kind, options, *more):
    run("qemu-img", "convert", "-f", "raw", "-O", kind, *more, "-o", options, raw, path)


def make_tar(raw, path, *options):
    """raw has to be called disk.raw."""
    run("tar", "--format=oldgnu", *options, "-C", os.path.dirname(raw), "-czf", path, "disk.raw")


def make_vmdk(raw, path):
    convert(raw, path, "vmdk", "subformat=streamOptimized,adapter_type=lsilogic", "-c")


def ovf(vmdk, items=None):
    text = "\n  ".join(
        "<Item>" + "".join(f"<rasd:{k}>{v}</rasd:{k}>" for k, v in item.items()) + "</Item>" for item in items or ITEMS
    )
    return OVF.format(size=len(vmdk), items=text).encode()


def manifest(members):
    return "".join(f"SHA256({n})= {hashlib.sha256(d).hexdigest()}\n" for n, d in members).encode()


def make_ova(path, members):
    open(path + ".member", "wb").close()
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            with open(path + ".member", "wb") as file:
                file.write(data)
            with open(path + ".member", "rb") as file:
                tar.addfile(info, file)
    os.unlink(path + ".member")


def whole_ova(path, vmdk, descriptor=None):
    parts = [("t.ovf", descriptor or ovf(vmdk)), ("t.vmdk", vmdk)]
    make_ova(path, [parts[0], ("t.mf", manifest(parts)), parts[1]])


def vhd_footer(size, **changes):
    """By Microsoft's format specification; changes: fields by name."""
    values = {"cookie": b"conectix", "features": 2, "version": 0x10000, "data": 0xFFFFFFFFFFFFFFFF, "original": size,
              "current": size, "kind": 2}
    values.update(changes)
    raw = struct.pack(">8sIIQI4sI4sQQHBBI", values["cookie"], values["features"], values["version"], values["data"], 0,
                      b"test", 0, b"Wi2k", values["original"], values["current"], 0xFFFF, 16, 63, values["kind"])
    checksum = ~sum(raw) & 0xFFFFFFFF
    return (raw + struct.pack(">I", changes.get("checksum", checksum))).ljust(512, b"\0")
