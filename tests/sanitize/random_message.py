# SPDX-License-Identifier: GPL-2.0-or-later
"""Random messages of the local protocol: what proto/gsa.proto says they may look like, with
values that hardly anybody means. Encoded here, from the text of the file.
"""

import re

STRINGS = (b"", b"load", b"lo\nad", b"%n%s", b"x" * 65, b"y" * 3000, b"m1.load.example",
           b"C=DE, O=Blue, CN=*", b"\xff\xfe", b"nul\0inside")
OCTETS = (b"", b"\x7f\0\0\1", bytes(4), bytes(16), b"\xff" * 16, b"\1", bytes(3), bytes(32),
          b"k" * 64, b"k" * 36, b"k" * 5000)
NUMBERS = (0, 1, 2, 3, 4, 12, 20, 28, 32, 64, 100, 128, 256, 4096, 61441, 0x7fffffff,
           0x80000000, 0xffffffff)


class Protocol:
    def __init__(self, path):
        """`messages`: {name: [(field, type, number, repeated)]}, `bodies`: {name: number}."""
        with open(path, encoding="utf-8") as file:
            text = re.sub(r"//.*", "", file.read())
        self.messages = {}
        for name, body in re.findall(r"message (\w+) \{((?:[^{}]|\{[^{}]*\})*)\}", text):
            self.messages[name] = [
                (field, kind, int(number), bool(repeated))
                for repeated, kind, field, number in
                re.findall(r"(repeated )?(\w+) (\w+) = (\d+);", body)]
        self.bodies = {kind: number for _, kind, number, _ in self.messages["Message"]}

    def message(self, numbers, name):
        """One Message with a body of that name."""
        return delimited(self.bodies[name], self.body(numbers, name))

    def body(self, numbers, name, depth=0):
        out = b""
        for _, kind, number, repeated in self.messages[name]:
            times = numbers.randrange(4) if repeated else numbers.randrange(6) > 0
            for _ in range(times):
                out += self.field(numbers, kind, number, depth)
        return out

    def field(self, numbers, kind, number, depth):
        if kind in ("string", "bytes"):
            value = numbers.choice(STRINGS if kind == "string" else OCTETS)
            return delimited(number, value)
        if kind == "fixed32":
            return varint(number << 3 | 5) + some_number(numbers).to_bytes(4, "little")
        if kind in self.messages:
            return delimited(number, self.body(numbers, kind, depth + 1) if depth < 4 else b"")
        return varint(number << 3) + varint(some_number(numbers))


def some_number(numbers):
    # small ones most of the time: enumerations, identifiers that exist
    return numbers.randrange(6) if numbers.randrange(2) else numbers.choice(NUMBERS)


def delimited(number, value):
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])
