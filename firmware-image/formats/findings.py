# SPDX-License-Identifier: GPL-2.0-only
"""What was checked, and what was not as it has to be."""


class Unreadable(Exception):
    """The rest of a file cannot be looked at."""

    def __init__(self, where, found, wanted):
        super().__init__(where)
        self.finding = (where, found, wanted)


class Findings:
    """Of one file. Each names the place in it, what is there and what would be right."""

    def __init__(self, name):
        self.name = name
        self.checks = 0
        self.lines = []

    def want(self, good, where, found, wanted):
        """Note a check; returns whether it is good."""
        self.checks += 1
        if not good:
            self.lines.append(f"{self.name}: {where}: found {found}, wanted {wanted}")
        return good

    def equal(self, where, found, wanted):
        return self.want(found == wanted, where, show(found), show(wanted))


def show(value):
    if isinstance(value, bytes):
        return "'" + "".join(chr(c) if 32 <= c < 127 else f"\\x{c:02x}" for c in value) + "'"
    if isinstance(value, str) and not value.startswith("0x"):
        return f"'{value}'" if value else "nothing"
    return "nothing" if value is None else str(value)
