# SPDX-License-Identifier: GPL-2.0-or-later
"""The IPsec states of a node, read from `ip xfrm state`."""

import re

STATE = re.compile(r"^src (\S+) dst (\S+)$", re.MULTILINE)


def parse(text):
    """A list of {source, destination, spi, reqid, replay_window, esn, algorithms,
    keys}."""
    heads = list(STATE.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    found = []
    for head, end in zip(heads, ends):
        body = text[head.end():end]
        spi = re.search(r"proto esp spi (0x[0-9a-f]+) reqid (\d+)", body)
        if not spi:
            continue
        ciphers = re.findall(r"^\s+(?:auth-trunc|auth|enc|aead) (\S+) 0x([0-9a-f]+)", body,
                             re.MULTILINE)
        # a window of more than 32 packets is written otherwise
        window = re.search(r"replay_window (\d+)", body) \
            or re.search(r"replay-window (\d+)", body)
        found.append({
            "source": head.group(1), "destination": head.group(2),
            "spi": int(spi.group(1), 16), "reqid": int(spi.group(2)),
            "replay_window": int(window.group(1)) if window else 0,
            "esn": bool(re.search(r"^\s+replay-window .*\besn\b", body, re.MULTILINE)),
            "algorithms": tuple(name for name, _ in ciphers),
            "keys": tuple(key for _, key in ciphers),
        })
    return found
