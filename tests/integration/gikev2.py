# SPDX-License-Identifier: GPL-2.0-or-later
"""GSA and KD as RFC 9838 draws them (§4.4, §4.5), strictly: nothing may be left over, reserved
octets are zero, each attribute has its format and comes as often as it may; SAg (§2.3.3) both ways.
Written from the text alone; shares no code with libgsa.
"""

import struct

from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding

from harness import check

AH, ESP, GIKE_UPDATE = 2, 3, 6
ENCR, INTEG, SN, KWA, GCAUTH = 1, 3, 5, 13, 14
# ciphers that no G-IKEv2 SA may use (§2.7): AES-CCM-8, AES-GCM-16, ChaCha20-Poly1305
IMPLICIT_IV = {29, 30, 31}
# the transform types of a proposal in SAg (§4.4.2.1)
VALID = {ESP: {ENCR, INTEG, SN}, AH: {INTEG, SN}, GIKE_UPDATE: {ENCR, INTEG, KWA, GCAUTH}}
# attributes that may come in band: octets of a TLV one, or TV (§4.4.2.2, §4.4.3.1, §4.5.3)
TV = None
SA_ATTRIBUTES = {1: {4}}
GROUP_WIDE_ATTRIBUTES = {1: TV, 2: TV, 3: TV}
MEMBER_ATTRIBUTES = {3: {1, 2, 3, 4}}
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


def checked(found, formats, repeated=()):
    """The attributes, if they are as they must be."""
    kinds = [kind for kind, _ in found]
    check(all(kinds.count(kind) == 1 or kind in repeated for kind in kinds), f"twice: {found}")
    for kind, value in found:
        check(kind in formats, f"attribute {kind} of {found}")
        check(isinstance(value, int) if formats[kind] is TV
              else isinstance(value, bytes) and len(value) in formats[kind],
              f"format of attribute {kind}: {value}")
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


def each_transform(data):
    """([(type, id, attributes)], the rest)"""
    found, more = [], True
    while more:
        last, zero, length, kind, reserved, number = struct.unpack(">BBHBBH", take(data, 8)[0])
        check(last in (0, 3) and not zero and not reserved,
              f"transform header {data[:8].hex()}")
        body, data = take(data, length)
        found.append((kind, number, attributes(body[8:])))
        more = last == 3
    return found, data


def transforms(data):
    """({type: (id, attributes)}, the rest)"""
    found, data = each_transform(data)
    check(len({kind for kind, _, _ in found}) == len(found), f"two of one type: {found}")
    return {kind: (number, more) for kind, number, more in found}, data


def policy(body):
    """([(SPI, transforms, attributes)], group-wide attributes) of a GSA payload."""
    data_sas, group_wide = [], None
    for protocol, second, content in substructures(body):
        if protocol == 0:
            check(second == 0 and group_wide is None, "group-wide policy")
            group_wide = checked(attributes(content), GROUP_WIDE_ATTRIBUTES)
            continue
        check((protocol, second) == (ESP, 4), f"protocol {protocol}, SPI size {second}")
        spi, content = take(content, 4)
        source, content = take(content, 16)
        destination, content = take(content, 16)
        check(source == destination == EVERYTHING, f"selectors {source.hex()} {destination.hex()}")
        found, rest = transforms(content)
        check(found[ENCR][0] not in IMPLICIT_IV, f"a cipher with implicit IV: {found}")
        data_sas.append((int.from_bytes(spi, "big"), found,
                         checked(attributes(rest), SA_ATTRIBUTES)))
    return data_sas, group_wide


def key_download(body, key_wrap_key):
    """{SPI: key} of a KD payload, and the attributes of its member key bag."""
    keys, member = {}, None
    for protocol, second, content in substructures(body):
        if protocol == 0:
            check(second == 0 and member is None, "member key bag")
            member = checked(attributes(content), MEMBER_ATTRIBUTES, repeated=MEMBER_ATTRIBUTES)
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


def proposals_of(body):
    """[(number, protocol, SPI, transforms)] of a Security Association payload (RFC 7296 §3.3)."""
    found, more = [], True
    while more:
        last, zero, length, number, protocol, size, count = struct.unpack(">BBHBBBB",
                                                                          take(body, 8)[0])
        check(last in (0, 2) and not zero, f"proposal header {body[:8].hex()}")
        content, body = take(body, length)
        spi, content = take(content[8:], size)
        wanted, rest = each_transform(content)
        check(not rest and len(wanted) == count, f"{len(wanted)} transforms of {count}: {wanted}")
        found.append((number, protocol, spi, wanted))
        more = last == 2
    check(not body, f"{len(body)} octets follow the last proposal")
    return found


def check_supported(body):
    """A member's SAg (§2.3.3, §2.7, §4.5.4); its proposals."""
    proposals = proposals_of(body)
    check({number for number, _, _, _ in proposals} == {1}, f"numbers of {proposals}")
    check(not any(spi for _, _, spi, _ in proposals), f"SPIs of {proposals}")
    wanted = {(protocol, kind, number) for _, protocol, _, each in proposals
              for kind, number, _ in each}
    check(all(kind in VALID[protocol] for protocol, kind, _ in wanted), f"types of {wanted}")
    check(not [number for _, kind, number in wanted if kind == ENCR and number in IMPLICIT_IV],
          f"a cipher with implicit IV: {wanted}")
    check((ESP, SN, 1) not in wanted, f"64-bit sequence numbers: {wanted}")
    check({number for protocol, kind, number in wanted
           if (protocol, kind) == (GIKE_UPDATE, KWA)}, f"no key wrap algorithm: {wanted}")
    return proposals


def supported(*proposals, last_number=1):
    """Body of SAg, of [(protocol, [(type, id, key bits or 0)])]: no SPIs, all of number 1 but
    perhaps the last."""
    out = b""
    for index, (protocol, wanted) in enumerate(proposals):
        joined = b""
        for number, (kind, identifier, bits) in enumerate(wanted):
            attribute = struct.pack(">HH", 0x800e, bits) if bits else b""
            joined += struct.pack(">BBHBBH", 0 if number + 1 == len(wanted) else 3, 0,
                                  8 + len(attribute), kind, 0, identifier) + attribute
        final = index + 1 == len(proposals)
        out += struct.pack(">BBHBBBB", 0 if final else 2, 0, 8 + len(joined),
                           last_number if final else 1, protocol, 0, len(wanted)) + joined
    return out
