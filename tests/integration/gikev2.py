# SPDX-License-Identifier: GPL-2.0-or-later
"""GSA and KD as RFC 9838 draws them (§4.4, §4.5), strictly: nothing may be left over, reserved
octets are zero; SAg (§2.3.3) both ways. Written from the text alone; shares no code with libgsa.
"""

import struct

from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding

from harness import check

AH, ESP, GIKE_UPDATE = 2, 3, 6
ENCR, INTEG, SN, KWA = 1, 3, 5, 13
# notifies
NO_PROPOSAL_CHOSEN, INVALID_GROUP_ID, AUTHORIZATION_FAILED, REGISTRATION_FAILED = 14, 45, 46, 49
USE_TRANSPORT_MODE, GROUP_SENDER, GROUP_IDENTIFIER = 16391, 16429, 40970
EVERYTHING = struct.pack(">BBHHH", 7, 0, 16, 0, 65535) + bytes(4) + b"\xff" * 4


def take(data, length):
    check(len(data) >= length, f"{length} octets wanted, {len(data)} are left")
    return data[:length], data[length:]


def attributes(data):
    """[(type, value)]: int of a TV attribute, octets of a TLV one (RFC 7296 §3.3.5)."""
    found = []
    while data:
        head, data = take(data, 4)
        kind, value = struct.unpack(">HH", head)
        if kind & 0x8000:
            found.append((kind & 0x7fff, value))
        else:
            octets, data = take(data, value)
            found.append((kind, octets))
    return found


def substructures(body):
    """[(protocol, second octet, content)]"""
    found = []
    while body:
        protocol, second, length = struct.unpack(">BBH", take(body, 4)[0])
        check(length >= 4, f"substructure of {length} octets")
        content, body = take(body, length)
        found.append((protocol, second, content[4:]))
    return found


def transforms(data):
    """({type: (id, attributes)}, the rest)"""
    found, more = {}, True
    while more:
        last, zero, length, kind, reserved, number = struct.unpack(">BBHBBH", take(data, 8)[0])
        check(last in (0, 3) and not zero and not reserved,
              f"transform header {data[:8].hex()}")
        check(kind not in found, f"two transforms of type {kind}")
        body, data = take(data, length)
        found[kind] = (number, attributes(body[8:]))
        more = last == 3
    return found, data


def policy(body):
    """([(SPI, transforms, attributes)], group-wide attributes) of a GSA payload."""
    data_sas, group_wide = [], None
    for protocol, second, content in substructures(body):
        if protocol == 0:
            check(second == 0 and group_wide is None, "group-wide policy")
            group_wide = attributes(content)
            continue
        check((protocol, second) == (ESP, 4), f"protocol {protocol}, SPI size {second}")
        spi, content = take(content, 4)
        source, content = take(content, 16)
        destination, content = take(content, 16)
        check(source == destination == EVERYTHING, f"selectors {source.hex()} {destination.hex()}")
        found, rest = transforms(content)
        data_sas.append((int.from_bytes(spi, "big"), found, attributes(rest)))
    return data_sas, group_wide


def key_download(body, key_wrap_key):
    """{SPI: key} of a KD payload, and the attributes of its member key bag."""
    keys, member = {}, None
    for protocol, second, content in substructures(body):
        if protocol == 0:
            check(second == 0 and member is None, "member key bag")
            member = attributes(content)
            continue
        check((protocol, second) == (ESP, 4), f"protocol {protocol}, SPI size {second}")
        spi, content = take(content, 4)
        found = attributes(content)
        check([kind for kind, _ in found] == [1], f"attributes of a group key bag: {found}")
        wrapped = found[0][1]
        key_id, key_wrap_key_id = struct.unpack(">II", take(wrapped, 8)[0])
        check((key_id, key_wrap_key_id) == (0, 0), f"Key ID {key_id}, KWK ID {key_wrap_key_id}")
        keys[int.from_bytes(spi, "big")] = aes_key_unwrap_with_padding(key_wrap_key, wrapped[8:])
    return keys, member


def supported(*proposals):
    """Body of SAg, of [(protocol, [(type, id, key bits or 0)])]: no SPIs, all of number 1."""
    out = b""
    for index, (protocol, wanted) in enumerate(proposals):
        joined = b""
        for number, (kind, identifier, bits) in enumerate(wanted):
            attribute = struct.pack(">HH", 0x800e, bits) if bits else b""
            joined += struct.pack(">BBHBBH", 0 if number + 1 == len(wanted) else 3, 0,
                                  8 + len(attribute), kind, 0, identifier) + attribute
        out += struct.pack(">BBHBBBB", 0 if index + 1 == len(proposals) else 2, 0,
                           8 + len(joined), 1, protocol, 0, len(wanted)) + joined
    return out
