#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes pairwise_vectors.h: libgsa/pairwise.h's derivation once more, from its description alone."""

import hmac
import struct

ROWS = [  # TEK's first octet and length, group, prefix, bits, sender, receiver, octets of the key
    (0x00, 36, 100, 0x47110000, 16, 0, 1, 36),
    (0x00, 36, 100, 0x47110000, 16, 1, 0, 36),
    (0x20, 20, 100, 0x00010000, 16, 65535, 65534, 20),
    (0x40, 36, 4294967295, 0xFFFFF000, 12, 4095, 0, 36),
    (0x60, 64, 1, 0x00000100, 8, 7, 255, 64),
    (0x80, 36, 100, 0x47110000, 16, 5, 5, 32),
]


def prf_plus(key, seed, length):
    """RFC 7296 section 2.13 with HMAC-SHA2-256."""
    out, block = b"", b""
    counter = 1
    while len(out) < length:
        block = hmac.digest(key, block + seed + bytes([counter]), "sha256")
        out += block
        counter += 1
    return out[:length]


def row(first, size, group, prefix, bits, sender, receiver, length):
    tek = bytes((first + i) & 0xFF for i in range(size))
    spi = prefix | sender
    seed = b"frr-gsa pair" + struct.pack("!IIII", group, spi, sender, receiver)
    mark = int.from_bytes(prf_plus(tek, b"frr-gsa mark", 4), "big")
    values = ", ".join(f"{n:#x}" for n in (first, size, group, prefix, bits, sender, receiver, spi, mark))
    return f'\t{{ {values},\n\t  "{prf_plus(tek, seed, length).hex()}" }},\n'


def main():
    print("// SPDX-License-Identifier: GPL-2.0-or-later")
    print("/* Written by pairwise_vectors.py. */")
    print("".join(row(*values) for values in ROWS), end="")


if __name__ == "__main__":
    main()
