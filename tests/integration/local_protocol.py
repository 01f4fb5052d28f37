# SPDX-License-Identifier: GPL-2.0-or-later
"""The local protocol from outside: a gcksd of the test's own, that charon's plugin connects to.

Messages are dictionaries, as proto/gsa.proto says: fields by name, enumerations by number, octets
as bytes. The file is read for field numbers and types; the rest is written from protobuf's
description.
"""

import contextlib
import os
import re
import select
import socket
import struct
import time

from harness import check

MAXIMUM = 65536
STEP_S = 60
ROLE_CHARON, ROLE_BGPD, ROLE_GCKSD = 1, 2, 3


def tree(*path):
    return os.path.join(os.environ.get("LAB_TREE", ""), *path)


def read_schema():
    """({message: {field: (number, type, repeated)}}, {enumeration values by name})"""
    with open(tree("proto/gsa.proto"), encoding="utf-8") as file:
        text = re.sub(r"//.*", "", file.read())
    messages, values = {}, {}
    for kind, name, body in re.findall(r"(message|enum) (\w+) \{(.*?)\n?\}\n", text, re.S):
        if kind == "enum":
            values.update({value: int(number)
                           for value, number in re.findall(r"(\w+) = (\d+);", body)})
            continue
        messages[name] = {field: (int(number), of, bool(repeated)) for repeated, of, field, number
                          in re.findall(r"(repeated )?(\w+) (\w+) = (\d+);", body)}
    return messages, values


MESSAGES, VALUES = read_schema()
check(len(MESSAGES) > 30 and VALUES, "proto/gsa.proto is not understood")


def varint(number):
    octets = b""
    while number > 127:
        octets += bytes([number & 127 | 128])
        number >>= 7
    return octets + bytes([number])


def encode_value(number, of, value):
    if of in MESSAGES:
        value = encode(of, value)
    elif of == "string":
        value = value.encode()
    elif of == "fixed32":
        return varint(number << 3 | 5) + struct.pack("<I", value)
    elif of != "bytes":
        return varint(number << 3) + varint(int(value))
    return varint(number << 3 | 2) + varint(len(value)) + value


def encode(name, fields):
    out = b""
    for field, value in fields.items():
        number, of, repeated = MESSAGES[name][field]
        for each in value if repeated else [value]:
            out += encode_value(number, of, each)
    return out


class Reader:
    def __init__(self, data):
        self.data = data

    def take(self, length):
        check(len(self.data) >= length, "a message is cut off")
        octets, self.data = self.data[:length], self.data[length:]
        return octets

    def varint(self):
        number, shift = 0, 0
        while True:
            octet = self.take(1)[0]
            number |= (octet & 127) << shift
            shift += 7
            if octet < 128:
                return number

    def value(self, wire):
        if wire == 0:
            return self.varint()
        check(wire in (2, 5), f"wire type {wire}")
        return self.take(self.varint()) if wire == 2 else struct.unpack("<I", self.take(4))[0]


def scalars(of, data):
    """Of a packed repeated field."""
    reader, found = Reader(data), []
    while reader.data:
        found.append(reader.value(5 if of == "fixed32" else 0))
    return found


def default(of):
    return {"string": "", "bytes": b"", "bool": False}.get(of, None if of in MESSAGES else 0)


def decode(name, data):
    """All fields, those that were not sent with their default."""
    found = {field: [] if repeated else default(of)
             for field, (_, of, repeated) in MESSAGES[name].items()}
    by_number = {number: (field, of, repeated)
                 for field, (number, of, repeated) in MESSAGES[name].items()}
    reader = Reader(data)
    while reader.data:
        key = reader.varint()
        value = reader.value(key & 7)
        check(key >> 3 in by_number, f"{name} has no field {key >> 3}")
        field, of, repeated = by_number[key >> 3]
        if of in MESSAGES:
            value = decode(of, value)
        elif of == "string":
            value = value.decode()
        elif of == "bool":
            value = bool(value)
        elif repeated and of != "bytes" and key & 7 == 2:
            found[field] += scalars(of, value)
            continue
        if repeated:
            found[field].append(value)
        else:
            found[field] = value
    return found


class Gcksd:
    """In the place of a node's gcksd, which is stopped: charon, or bgpd, connects to this one."""

    def __init__(self, lab, node, role=ROLE_CHARON):
        self.role = role
        self.path = os.path.join(os.environ["LAB_RUN"], node, "run/frr/gcksd.sock")
        self.node, self.requests = node, 0
        self.charon, self.received = None, []  # (body's name, fields), in their order
        self.handlers = {}  # body's name: function(fields) that answers at once
        lab.kill(node, "gcksd")
        self.listener = self.listen()

    def listen(self):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        listener.bind(self.path)
        listener.listen(4)
        return listener

    def close(self):
        for one in (self.charon, self.listener):
            if one:
                one.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)

    def accept(self):
        """Waits for it and says Hello. Afterwards `received` has what it repeated."""
        if self.charon:
            self.charon.close()
        self.listener.settimeout(STEP_S)
        role = None
        while role != self.role:  # the other one knocks as well
            if role:
                self.charon.close()
            self.charon, _ = self.listener.accept()
            self.received = []
            role = self.await_message("hello")["role"]
        self.send("hello", version=version(), role=ROLE_GCKSD, software="test")
        if self.role == ROLE_CHARON:  # bgpd first hears what there is
            self.await_message("sync_done")

    def sync_done(self):
        self.send("sync_done")

    def send(self, body, **fields):
        self.charon.send(encode("Message", {body: fields}))

    def receive(self, timeout_s):
        """One message more in `received`; False: none came."""
        if not select.select([self.charon], [], [], max(timeout_s, 0))[0]:
            return False
        data = self.charon.recv(MAXIMUM)
        check(data, f"charon of {self.node} closed the connection")
        for body, fields in decode("Message", data).items():
            if fields is None:
                continue
            self.received.append((body, fields))
            if body in self.handlers:
                self.handlers[body](fields)
        return True

    def drain(self):
        while self.receive(0):
            pass

    def bodies(self, body, condition=lambda fields: True):
        return [fields for name, fields in self.received if name == body and condition(fields)]

    def await_message(self, body, condition=lambda fields: True, after=0, turn=lambda: None):
        """
        The first message, of those received since `after` (a length of `received`), that meets
        the condition; `turn` is called again and again meanwhile.
        """
        deadline = time.monotonic() + STEP_S
        while True:
            for name, fields in self.received[after:]:
                if name == body and condition(fields):
                    return fields
            check(time.monotonic() < deadline, lambda: f"charon of {self.node} sent no such "
                  f"{body}, but " + str([name for name, _ in self.received[after:]][-20:]))
            turn()
            self.receive(0.1)

    def request(self):
        self.requests += 1
        return self.requests


def version():
    """GSA_PROTOCOL_VERSION, from the header that the daemons were built with."""
    with open(tree("libgsa/message.h"), encoding="utf-8") as header:
        return int(re.search(r"GSA_PROTOCOL_VERSION\s+(\d+)", header.read()).group(1))
