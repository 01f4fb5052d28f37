# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting for a condition, never for a time."""

import time

from .errors import Timeout


def wait_until(condition, deadline_s, what, diagnose=None, interval_s=0.02, slowest_s=0.25):
    """Asks until `condition()` is true and returns what it gave.

    The pauses grow to `slowest_s`: in a guest with one CPU asking costs what it waits for.
    """
    start = time.monotonic()
    pause = interval_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() - start > deadline_s:
            found = f"\n{diagnose()}" if diagnose else ""
            raise Timeout(f"not within {deadline_s} s: {what}{found}")
        time.sleep(pause)
        pause = min(pause * 1.5, slowest_s)
