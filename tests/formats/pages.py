# SPDX-License-Identifier: GPL-2.0-only
"""docs/import: every page has the same headings, and what it gives as configuration is one."""
import os
import re
import shutil
import subprocess

HEADINGS = ["At a glance", "Upload and import", "Networks and rules", "Interfaces and addresses", "User data", "Start",
            "The LAN virtual address", "Permissions", "First check", "Update", "Remove", "Pitfalls", "Documents"]


def check(suite, root, netpas):
    pages = os.path.join(root, "docs/import")
    with open(os.path.join(pages, "README.md"), encoding="utf-8") as file:
        matrix = file.read()
    for cloud, formats in suite.verify.CLOUDS.items():
        with open(os.path.join(pages, cloud + ".md"), encoding="utf-8") as file:
            text = file.read()
        problem = [] if re.findall(r"^## (.*)$", text, re.M) == HEADINGS else ["other headings than the others"]
        row = re.search(rf"^\| \[[^]]*\]\({cloud}\.md\) \| `(\.[a-z0-9.]+)` ", matrix, re.M)
        if not row or row[1] not in formats:
            problem.append(f"the README names {row[1] if row else 'no file'}, verify knows {', '.join(formats)}")
        elif f"`netpas-VERSION{row[1]}`" not in text:
            problem.append(f"the page is not about the {row[1]} of the README")
        problem += check_cloud(suite, root, netpas, text)
        suite.result(f"docs/import/{cloud}.md", problem)


def check_cloud(suite, root, netpas, text):
    """node.yaml with the page's "cloud:", if it has one."""
    block = re.search(r"^  cloud:\n(?:    .*\n)+", text, re.M)
    if not block:
        return []
    base = os.path.join(root, "tests/config/base")
    place = suite.path("conf")
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(base, place)
    os.chmod(os.path.join(place, "private.key"), 0o600)
    credentials = os.path.join(place, "cloud.json")
    with open(credentials, "w", encoding="ascii") as file:
        file.write('{"id": "a", "secret": "b"}')
    os.chmod(credentials, 0o600)
    with open(os.path.join(place, "node.yaml"), "a", encoding="ascii") as file:
        file.write(re.sub(r"^  ", "", block[0], flags=re.M).replace("/etc/netpas/cloud.json", credentials))
    run = subprocess.run([netpas, "check", "-c", "."], cwd=place, capture_output=True, text=True, check=False)
    return [] if run.returncode == 0 else (run.stdout + run.stderr).splitlines()[:20]
