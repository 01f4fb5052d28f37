#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: two-groups
"""`tests/lab demo` checks what it shows; a newcomer must not be the first to see it fail."""

import demo
from harness import case, check, main


@case("all that the demo shows is as it says")
def shown(lab):
    check(demo.show(lab), "the demo's own words are above")


if __name__ == "__main__":
    main()
