#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every test that doc/conformance.md names exists: check_conformance.py SOURCE"""

import os
import re
import sys


def exists(tests, kind, name, case):
    path = os.path.join(tests, "unit", f"test_{name}.c") if kind \
        else os.path.join(tests, "integration", f"test_{name}.py")
    if not os.path.exists(path):
        return False
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if case == "*":
        return True
    if kind:
        return f"START_TEST({case})" in text
    return re.search(rf'^@case\(.*\)\ndef {case}\(', text, re.MULTILINE) is not None


def main(source):
    rows, missing = 0, []
    with open(os.path.join(source, "doc", "conformance.md"), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            cells = line.strip().strip("|").split(" | ")
            if not line.startswith("|") or len(cells) != 4 or not cells[0].strip()[:1].isdigit():
                continue
            rows += 1
            names = re.findall(r"`(unit )?([a-z_]+)\.([a-z_]+|\*)`", cells[3])
            if not names:
                missing.append(f"{number}: no test")
            missing += [f"{number}: {kind}{name}.{case}" for kind, name, case in names
                        if not exists(os.path.join(source, "tests"), kind, name, case)]
    for one in missing:
        print(f"doc/conformance.md:{one} is not there", file=sys.stderr)
    print(f"{rows} rules")
    return 1 if missing or rows == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else os.environ["srcdir"]))
