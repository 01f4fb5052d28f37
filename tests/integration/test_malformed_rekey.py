#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: two-groups
#
# site3's charon between a gcksd and a key server that are both the test's own (member_pair.py).
"""Rekeys and Deletes of a key server of another make. One that is malformed, for somebody else or
not to be unwrapped changes nothing."""

import os
import secrets
import struct

import gikev2
from harness import case, check, main
from ikev2 import DELETE, GSA, ID_KEY_ID, IDG, KD, NOTIFY, Critical, identification, notify
from member_pair import FIRST, SENDER_ID, SITE, Pair
from key_server import granted, key_download, policy, substructure, tlv, transform, tv
from standins import EXCLUDED, GSA_INBAND_REKEY, REGISTERED, spis_of

UNSUPPORTED_CRITICAL_PAYLOAD = 1
OTHER = 0x60020000
WRONG = os.urandom(32)


def pair(lab):
    if not hasattr(lab, "pair"):
        lab.pair = Pair(lab)
    return lab.pair


def refused(both, what, payloads, expected):
    after = len(both.member.received)
    errors = both.ask(payloads)
    check(errors == [expected], f"{what}: errors {errors}, not {expected}")
    both.member.settle()
    told = [body for name, body in both.member.received[after:] if name == "membership"]
    check(not told, f"{what}: the membership changed: {told}")


def excludes(both, body):
    """A Delete after which nothing is held until the member has registered again."""
    after = len(both.member.received)
    check(both.ask([(DELETE, body)]) == [], "an error")
    both.wait(lambda: any(name == "membership" and body["state"] == EXCLUDED
                          for name, body in both.member.received[after:]), "the exclusion")
    after = len(both.member.received)
    both.wait(lambda: both.held(after) == [FIRST], "the next registration")


def acceptable(both):
    """A rekey that is as it should be is taken."""
    spi = FIRST + (secrets.randbits(14) << 16)
    key = os.urandom(36)
    errors = both.ask(granted(policy(spi), key_download({spi: key},
                                                         both.server.group_key_wrap_key())))
    check(not errors, f"errors {errors}")
    both.wait(lambda: both.held()[-1] == spi, "the new SA")
    return spi


@case("a rekey of a key server of another make is taken")
def other_make(lab):
    both = pair(lab)
    acceptable(both)
    check(both.held()[0] == FIRST, f"held {both.held()}")


@case("a rekey that is sent again gets the same answer, octet for octet, and is one rekey")
def sent_again(lab):
    both, spi = pair(lab), OTHER + 0x70000
    after = len(both.member.received)
    packet = both.server.encrypted(GSA_INBAND_REKEY, granted(policy(spi), key_download(
        {spi: os.urandom(36)}, both.server.group_key_wrap_key())))
    answers = [both.server.transmit(packet) for _ in range(3)]
    both.server.message_id += 1
    check(not answers[0].errors(), f"errors {answers[0].errors()}")
    check(len({answer.packet for answer in answers}) == 1, "the answers differ")
    both.member.settle()
    told = [spis_of(body) for name, body in both.member.received[after:] if name == "membership"]
    check(len(told) == 1 and told[0][-1] == spi, f"told {told}")


@case("a rekey that comes in fragments is taken like any other")
def fragments(lab):
    both, spi = pair(lab), OTHER + 0x90000
    packets = both.server.fragments(GSA_INBAND_REKEY, granted(policy(spi), key_download(
        {spi: os.urandom(36)}, both.server.group_key_wrap_key())), 40)
    check(len(packets) > 2, f"{len(packets)} fragments")
    for packet in packets[:-1]:
        both.server.send(packet)
    answer = both.server.transmit(packets[-1])
    both.server.message_id += 1
    check(not answer.payloads, f"payloads {answer.kinds()}, errors {answer.errors()}")
    both.wait(lambda: both.held()[-1] == spi, "the new SA")


@case("the critical bit of GSA and KD does not matter, that of a payload nobody knows does")
def critical(lab):
    both, spi = pair(lab), OTHER + 0xb0000
    payloads = granted(policy(spi), key_download({spi: os.urandom(36)},
                                                 both.server.group_key_wrap_key()))
    errors = both.ask([*payloads, Critical((200, b"nobody knows it"))])
    check(errors == [UNSUPPORTED_CRITICAL_PAYLOAD], f"errors {errors}")
    check(spi not in both.held(), f"held {both.held()}")
    errors = both.ask([Critical(payload) for payload in payloads])
    check(not errors, f"errors {errors}")
    both.wait(lambda: both.held()[-1] == spi, "the new SA")
    # and at a registration
    grant = both.key_server.answer
    both.key_server.answer = lambda *asked: [
        payload if payload[0] == NOTIFY else Critical(payload) for payload in grant(*asked)]
    excludes(both, bytes([6, 16, 0, 1]) + bytes(16))
    both.key_server.answer = grant


@case("a Sender-ID in a rekey, which is barred, is not taken for one of the member's")
def sender_id(lab):
    both, spi, after = pair(lab), OTHER + 0xa0000, len(pair(lab).member.received)
    errors = both.ask(granted(policy(spi, group_wide=tv(3, 8)), key_download(
        {spi: os.urandom(36)}, both.server.group_key_wrap_key(), member=tlv(3, b"\0\7"))))
    check(not errors, f"errors {errors}")
    both.wait(lambda: both.held(after), "the new SA")
    held = [body["group_sa"] for name, body in both.member.received[after:]
            if name == "membership" and body["state"] == REGISTERED][-1]
    check((held["sender_id"], held["sender_id_bits"]) == ([SENDER_ID[-1]], 16), f"{held}")
    check(held["data_sa"][-1]["spi"] == spi, f"{held}")


@case("one in clear text, or over no IKE_SA of ours, is as if it were not sent")
def clear_text(lab):
    both, spi = pair(lab), OTHER + 0x80000
    after = len(both.member.received)
    payloads = granted(policy(spi), key_download({spi: os.urandom(36)},
                                                 both.server.group_key_wrap_key()))
    for packet in (both.server.clear(GSA_INBAND_REKEY, payloads, 0),
                   both.server.clear(GSA_INBAND_REKEY, [(DELETE, bytes([6, 16, 0, 1])
                                                         + bytes(16))], 0)):
        found = both.server.whatever_comes(packet)
        check(not found, f"answered by {[(one.kinds(), one.errors()) for one in found]}")
    # only this packet: the member's own requests are still answered as they should be
    keys, both.server.keys = both.server.keys, {**both.server.keys, "ei": os.urandom(36)}
    packet = both.server.encrypted(GSA_INBAND_REKEY, payloads)
    both.server.keys = keys
    check(not both.server.whatever_comes(packet), "a message under another key was answered")
    both.member.settle()
    check(not [name for name, _ in both.member.received[after:] if name == "membership"],
          "the membership changed")
    acceptable(both)


@case("rekeys that are malformed or not acceptable get an error notify; what is held stays")
def malformed(lab):
    both, spi = pair(lab), OTHER
    wrap = both.server.group_key_wrap_key()
    good, keys = policy(spi), key_download({spi: os.urandom(36)}, wrap)
    failed, chosen = gikev2.REGISTRATION_FAILED, gikev2.NO_PROPOSAL_CHOSEN
    selectors = gikev2.EVERYTHING * 2
    many = [OTHER + (number << 16) for number in range(9)]
    rows = [
        ("nothing", [], failed),
        ("no KD", [(GSA, good), notify(gikev2.USE_TRANSPORT_MODE)], failed),
        ("no GSA", [(KD, keys), notify(gikev2.USE_TRANSPORT_MODE)], failed),
        ("an empty GSA", granted(b"", keys), failed),
        ("an empty KD", granted(good, b""), failed),
        ("GSA cut off", granted(good[:-1], keys), failed),
        ("GSA with a tail", granted(good + b"\0", keys), failed),
        ("KD cut off", granted(good, keys[:-1]), failed),
        ("KD with a tail", granted(good, keys + b"\0\0"), failed),
        ("two policies for one SPI", granted(good + good, keys), failed),
        ("two keys for one SPI", granted(good, keys + keys), failed),
        ("a key of another SPI", granted(good, key_download({spi + 0x10000: os.urandom(36)}, wrap)),
         failed),
        ("a key under another key", granted(good, key_download({spi: os.urandom(36)}, WRONG)),
         failed),
        ("a key that was tampered with", granted(good, keys[:-1] + bytes([keys[-1] ^ 1])), failed),
        ("a key without a salt", granted(good, key_download({spi: os.urandom(32)}, wrap)), failed),
        ("SPI below 256", granted(policy(255), key_download({255: os.urandom(36)}, wrap)), failed),
        ("no room for Sender-IDs", granted(policy(spi + 1), key_download({spi + 1: os.urandom(36)},
                                                                        wrap)), failed),
        ("more SAs than there is room for", granted(policy(*many), key_download(
            {one: os.urandom(36) for one in many}, wrap)), failed),
        ("only a group-wide policy", granted(substructure(0, 0, tv(1, 5)), keys), failed),
        ("a counter mode that senders share", granted(policy(spi, sequence_numbers=2), keys),
         chosen),
        ("64-bit sequence numbers", granted(policy(spi, sequence_numbers=1), keys), failed),
        ("unknown sequence numbers", granted(policy(spi, sequence_numbers=0xf002), keys), chosen),
        ("an unknown cipher", granted(policy(spi, encryption=1023), keys), chosen),
        ("Key Length 0", granted(policy(spi, bits=0), keys), failed),
        ("no SN transform", granted(substructure(3, 4, struct.pack(">I", spi) + selectors
                                                 + transform(True, 1, 20, tv(14, 256))), keys),
         failed),
        ("AH", granted(substructure(2, 4, struct.pack(">I", spi) + selectors
                                    + transform(False, 3, 12) + transform(True, 5, 2)), keys),
         chosen),
        ("address preservation", [(GSA, good), (KD, keys)], chosen),
        ("an unknown group", [(IDG, identification(ID_KEY_ID, "green")), *granted(good, keys)],
         gikev2.INVALID_GROUP_ID),
        ("a group that is not registered over this IKE_SA",
         [(IDG, identification(ID_KEY_ID, "blue")), *granted(good, keys)],
         gikev2.INVALID_GROUP_ID),
        ("an empty IDg", [(IDG, b""), *granted(good, keys)], gikev2.INVALID_GROUP_ID),
        ("IDg without a name", [(IDG, identification(ID_KEY_ID, "")), *granted(good, keys)],
         gikev2.INVALID_GROUP_ID),
    ]
    for what, payloads, expected in rows:
        refused(both, what, payloads, expected)
    acceptable(both)


@case("Deletes that are about nothing that is held change nothing")
def deletes_of_others(lab):
    both = pair(lab)
    for body in (bytes([3, 4, 0, 1]) + struct.pack(">I", 0x12345678),
                 bytes([2, 4, 0, 1]) + bytes(4),
                 bytes([6, 16, 0, 1]) + b"\1" * 16):
        after = len(both.member.received)
        check(both.ask([(DELETE, body)]) == [], "an error")
        both.member.settle()
        check(not [name for name, _ in both.member.received[after:] if name == "membership"],
              f"{body.hex()} changed the membership")
    acceptable(both)


@case("a Delete takes one SA away; one of all (SPI 0, or protocol 0) ends the membership, which begins again")
def deletes(lab):
    both = pair(lab)
    kept, spi = acceptable(both), acceptable(both)
    after = len(both.member.received)
    check(both.ask([(DELETE, bytes([3, 4, 0, 1]) + struct.pack(">I", spi))]) == [], "an error")
    both.wait(lambda: both.held(after), "the Delete is told")
    check(spi not in both.held(after) and kept in both.held(after), f"held {both.held(after)}")
    for body in (bytes([3, 4, 0, 1]) + bytes(4), bytes([0, 0, 0, 0])):
        excludes(both, body)
    acceptable(both)


@case("a rekey with all octets of its payloads in turn upset never takes the daemon down")
def upset(lab):
    both = pair(lab)
    wrap = both.server.group_key_wrap_key()
    pid = lab.supervisor.pid(SITE, "charon")
    good, keys = policy(OTHER), key_download({OTHER: os.urandom(36)}, wrap)
    for place in range(len(good)):
        body = bytearray(good)
        body[place] ^= 0xff
        both.ask(granted(bytes(body), keys))
    for place in range(len(keys)):
        body = bytearray(keys)
        body[place] ^= 0xff
        # one that unwraps is one whose octets do not matter
        both.ask(granted(good, bytes(body)))
    check(lab.supervisor.pid(SITE, "charon") == pid, "charon was restarted")
    acceptable(both)


@case("exclusion (Delete of GIKE_UPDATE, SPI 0) is taken at its word; the member registers again")
def exclusion(lab):
    excludes(pair(lab), bytes([6, 16, 0, 1]) + bytes(16))


if __name__ == "__main__":
    main()
