# SPDX-License-Identifier: GPL-2.0-or-later
"""What the integration tests share: cases, checks, and the running topology (see
tests/topology). A test is

    from harness import case, check, main

    @case("what holds")
    def what_holds(lab):
        check(lab.registrations() == 5, "a sentence that says what was found instead")

    if __name__ == "__main__":
        main()

and prints one line `ok - text` or `not ok - text` for each case.
"""

import os
import sys
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))

from topology import live                       # noqa: E402
from topology.errors import LabError            # noqa: E402
from topology.wait import wait_until            # noqa: E402,F401

cases = []


class Failed(LabError):
    pass


def check(condition, found):
    if not condition:
        raise Failed(found() if callable(found) else found)


def case(text):
    def register(function):
        cases.append((text, function))
        return function
    return register


def main():
    """Runs every case, or those whose function was named on the command line."""
    lab = live.running()
    wanted = sys.argv[1:]
    failures = 0
    for text, function in cases:
        if wanted and function.__name__ not in wanted:
            continue
        start = time.monotonic()
        try:
            function(lab)
        except Exception as error:  # pylint: disable=broad-except
            failures += 1
            print(f"not ok - {text}", flush=True)
            found = str(error) if isinstance(error, LabError) else traceback.format_exc()
            for line in found.splitlines():
                print(f"#   {line}", flush=True)
        else:
            print(f"ok - {text}", flush=True)
        print(f"# {function.__name__}: {time.monotonic() - start:.1f} s", flush=True)
    sys.exit(1 if failures else 0)
