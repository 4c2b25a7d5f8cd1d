# SPDX-License-Identifier: GPL-2.0-only
"""
Which of our formats each cloud takes, and what it asks of it beyond the format itself. The documents
that say so are at the foot of docs/import/CLOUD.md.
"""
from .disk import GIB


def size_at_most(limit, why):
    def rule(image, findings, at):
        findings.want(image.disk.size <= limit, f"{at}: virtual size", image.disk.size, f"at most {limit}, {why}")

    return rule


def whole_gib(image, findings, at):
    """Volumes are whole GiB: with another size the backup GPT is not at the end of the volume."""
    findings.want(image.disk.size % GIB == 0, f"{at}: virtual size", image.disk.size, "a multiple of 1073741824")


def azure_size(image, findings, at):
    size = image.disk.size
    findings.want(20971520 <= size <= 1023 * GIB, f"{at}: virtual size", size, "20 MiB to 1023 GiB")


def qcow2_clusters(image, findings, at):
    """Images are copied cluster by cluster; the size that qemu-img takes without being asked is the tried one."""
    findings.want(image.facts["cluster"] == 65536, f"{at}: cluster size", image.facts["cluster"], 65536)


SMALLEST_DISK = "the smallest system disk"

CLOUDS = {
    "aws": {".raw": [whole_gib], ".vhd": [whole_gib], ".ova": [whole_gib]},
    "azure": {".vhd": [azure_size]},
    "gcp": {".tar.gz": [size_at_most(10 * GIB, "Google's smallest boot disk")]},
    "alibaba": {".qcow2": [qcow2_clusters, size_at_most(20 * GIB, SMALLEST_DISK)], ".raw": [], ".vhd": []},
    "tencent": {".qcow2": [qcow2_clusters, size_at_most(20 * GIB, SMALLEST_DISK)], ".raw": [], ".vhd": []},
    "openstack": {".qcow2": [qcow2_clusters], ".raw": []},
    "vmware": {".ova": []},
    "proxmox": {".qcow2": [qcow2_clusters], ".raw": [], ".ova": []},
}
