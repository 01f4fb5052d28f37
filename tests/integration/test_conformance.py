#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: two-groups
#
# Members of another make, two IKEv2 initiators in Python from site2's network; the key server
# gets one more group, green, whose members have Sender-IDs.
"""What RFC 9838 says of Sender-IDs, of rekeys in band and of large messages, on the wire."""

import contextlib
import itertools
import struct

import gikev2
from harness import case, check, main, wait_until
from ikev2 import (DELETE, GSA, GSA_INBAND_REKEY, GSA_REGISTRATION, ID_KEY_ID, IDG, KD, SA,
                   identification, notify)
from probe import (KEY_SERVER, RED, SECOND, check_granted, check_refused, established, initiator,
                   key_server_setting, register)
from pymember import admit
from topology.errors import LabError

GREEN = (IDG, identification(ID_KEY_ID, "green"))
BITS = 8
GREEN_POLICY = ["identifier 300", "credential psk", "permit identity *.red.example",
                "sharing pairwise", "cipher aes256gcm16", f"sender-id-bits {BITS}",
                "activation-delay 3", "deactivation-delay 4"]
# attributes of the group-wide policy, of a member key bag
ATD, DTD, SENDER_ID_BITS = 1, 2, 3
GM_SENDER_ID = 3
GSA_KEY_LIFETIME = 1
PAIRWISE = 0xf001
GCM_256 = (20, [(14, 256)])
FRAGMENT = 200
MEMBERS = (f"green{number}.red.example" for number in itertools.count())
STEP_S = 60


def sender(count):
    return notify(gikev2.GROUP_SENDER, struct.pack(">I", count))


def green(lab):
    if not hasattr(lab, "serves_green"):
        lab.configure("sr", "gsa group green", *GREEN_POLICY)
        lab.serves_green = True


@contextlib.contextmanager
def member_of_green(lab, identity=None):
    green(lab)
    identity = identity or next(MEMBERS)
    secret = admit(lab, "green", [identity])
    with initiator(lab).establish(identity, KEY_SERVER, secret) as ike_sa:
        yield ike_sa
        if not ike_sa.closed:
            register(ike_sa, GREEN, notify(gikev2.REGISTRATION_FAILED))


class Given:
    """What a GSA and a KD say."""

    def __init__(self, ike_sa, message):
        self.data_sas, group_wide = gikev2.policy(message.bodies(GSA)[0])
        self.keys, member = gikev2.key_download(message.bodies(KD)[0],
                                                ike_sa.group_key_wrap_key())
        self.group_wide, self.member = dict(group_wide or []), member
        check(len(self.group_wide) == len(group_wide or []), f"repeated {group_wide}")
        check(set(self.keys) == {spi for spi, _, _ in self.data_sas},
              f"keys for {list(self.keys)}, policies {self.data_sas}")
        check(self.data_sas, "no Data-Security SA")
        # in band: nothing of multicast rekey (§5)
        for _, _, attributes in self.data_sas:
            check({kind for kind, _ in attributes} <= {GSA_KEY_LIFETIME}, f"{attributes}")

    def sender_ids(self):
        return [int.from_bytes(value, "big") for kind, value in self.member or []
                if kind == GM_SENDER_ID]


def ask(ike_sa, *payloads):
    answer = register(ike_sa, GREEN, *payloads)
    check_granted(answer)
    return Given(ike_sa, answer)


@case("a counter mode: each sender gets fresh Sender-IDs from 0 up, and their size once")
def sender_ids(lab):
    with member_of_green(lab) as ike_sa:
        seen = []
        for count in (1, 3, 1, 2):
            given = ask(ike_sa, sender(count))
            found = given.sender_ids()
            check(given.group_wide[SENDER_ID_BITS] == BITS, f"group-wide {given.group_wide}")
            check(len(found) == count, f"{found} for a count of {count}")
            check({kind for kind, _ in given.member} == {GM_SENDER_ID}, f"{given.member}")
            # the fewest octets that hold so many bits
            check(all(len(value) == 1 for _, value in given.member), f"{given.member}")
            seen += found
        check(seen == list(range(len(seen))), f"Sender-IDs {seen}")


@case("a count that is no count, 0 or too large: at least one Sender-ID, not more than a bound")
def odd_counts(lab):
    with member_of_green(lab) as ike_sa:
        seen = []
        for data in (b"", b"\0\0\0", bytes(4), b"\0" * 5, b"\xff" * 4):
            given = ask(ike_sa, notify(gikev2.GROUP_SENDER, data))
            found = given.sender_ids()
            check(1 <= len(found) <= 16, f"{found} for {data.hex()}")
            check(len(found) == 1 or data == b"\xff" * 4, f"{found} for {data.hex()}")
            seen += found
        check(len(set(seen)) == len(seen), f"Sender-IDs repeat: {seen}")


@case("without GROUP_SENDER there is neither a Sender-ID nor GWP_SENDER_ID_BITS")
def receiver(lab):
    with member_of_green(lab) as ike_sa:
        given = ask(ike_sa)
        check(given.member is None, f"member key bag {given.member}")
        check(SENDER_ID_BITS not in given.group_wide, f"group-wide {given.group_wide}")


@case("the policy of an AEAD: no INTEG, sequence numbers told, a key as long as cipher and salt")
def aead(lab):
    with member_of_green(lab) as ike_sa:
        given = ask(ike_sa, sender(1))
        for spi, transforms, _ in given.data_sas:
            check(transforms == {gikev2.ENCR: GCM_256, gikev2.SN: (PAIRWISE, [])},
                  f"transforms {transforms}")
            check(len(given.keys[spi]) == 36, f"a key of {len(given.keys[spi])} octets")
            check(spi % (1 << BITS) == 0 and spi >= 256, f"SPI {spi:#x}")


@case("a member that cannot keep its Sender-IDs apart is told NO_PROPOSAL_CHOSEN")
def not_pairwise(lab):
    with member_of_green(lab) as ike_sa:
        for number, granted in ((0, False), (2, False), (PAIRWISE, True)):
            body = gikev2.supported((gikev2.ESP, [(1, 20, 256), (5, number, 0)]))
            answer = register(ike_sa, GREEN, sender(1), (SA, body))
            if granted:
                check_granted(answer)
            else:
                check_refused(answer, gikev2.NO_PROPOSAL_CHOSEN)


def await_rekey(ike_sa, known):
    """The next rekey, and what it gives: an SA that is not known yet."""
    request = ike_sa.await_request(lambda one: one.exchange == GSA_INBAND_REKEY
                                   and one.bodies(KD) and one not in known, STEP_S)
    return request, Given(ike_sa, request)


@case("a rekey in band: a new SA under GSK_w, delays, no Sender-ID; all its members acknowledge")
def inband(lab):
    with member_of_green(lab) as ike_sa:
        old = ask(ike_sa, sender(1))
        lab.vtysh("sr", "gsa rekey group green")
        request, new = await_rekey(ike_sa, [])
        # §5, §4.5.3.3
        check(new.member is None, f"member key bag {new.member}")
        check(new.group_wide == {ATD: 3, DTD: 4}, f"group-wide {new.group_wide}")
        check(not set(new.keys) & set(old.keys), f"SPIs {new.keys.keys()} after {old.keys.keys()}")
        check(not set(new.keys.values()) & set(old.keys.values()), "a key is used again")
        check(new.data_sas[-1][1] == old.data_sas[-1][1], "other algorithms than before")
        check(gikev2.USE_TRANSPORT_MODE in request.notifies(), f"notifies {request.notifies()}")
        # the answer was an empty one of the same exchange
        check(not ike_sa.closed, "the IKE_SA was closed")
        again = ask(ike_sa, sender(1))
        check(set(new.keys) <= set(again.keys), "the new SA is not what a registration gives")


@case("a rekey goes out again while it is not acknowledged, octet for octet")
def unanswered(lab):
    with established(lab) as ike_sa:
        check_granted(register(ike_sa))
        ike_sa.answers_requests = False
        lab.vtysh("sr", "gsa rekey group red")
        wait_until(lambda: len(ike_sa.unanswered(GSA_INBAND_REKEY)) >= 2, STEP_S,
                   "the request comes twice")
        check(len(set(ike_sa.unanswered(GSA_INBAND_REKEY))) == 1, "the requests differ")
        ike_sa.answers_requests = True
        await_rekey(ike_sa, [])


def use_up(lab, first):
    """What is given when none is left, and all that was before. A member is given its share of them."""
    seen = set(first.sender_ids())
    for _ in range(16):
        with member_of_green(lab) as ike_sa:
            while not (answer := register(ike_sa, GREEN, sender(16))).errors():
                given = Given(ike_sa, answer)
                if not set(given.keys) & set(first.keys):
                    return given, seen
                check(not seen & set(given.sender_ids()), f"again: {given.sender_ids()}")
                check(all(number < 1 << BITS for number in given.sender_ids()),
                      f"{given.sender_ids()} do not fit {BITS} bits")
                seen |= set(given.sender_ids())
            check_refused(answer, gikev2.REGISTRATION_FAILED)
    check(False, f"{len(seen)} Sender-IDs were given")
    return None, seen


@case("no Sender-ID is left: every member is excluded, and the next SA begins with 0")
def exhausted(lab):
    with member_of_green(lab, SECOND) as other:
        first = ask(other, sender(1))
        given, seen = use_up(lab, first)
        check(given.sender_ids()[0] == 0 and not set(given.keys) & set(first.keys),
              f"after {len(seen)} Sender-IDs: {given.sender_ids()}, SPIs {list(given.keys)}")
        check(not set(given.keys.values()) & set(first.keys.values()), "a key is used again")
        # §2.5.1: the other one has to register again before it sends
        request = other.await_request(lambda one: any(
            body[0] == gikev2.GIKE_UPDATE for body in one.bodies(DELETE)), STEP_S)
        deletes = {body[0]: body[1:] for body in request.bodies(DELETE)}
        check(deletes == {gikev2.ESP: bytes([4, 0, 1]) + bytes(4),
                          gikev2.GIKE_UPDATE: bytes([16, 0, 1]) + bytes(16)}, f"{deletes}")
        check(not request.bodies(KD), "the exclusion carries keys")
        with contextlib.suppress(LabError):
            other.await_request(lambda one: any(body[0] == 1 for body in one.bodies(DELETE)), 2)
        # the IKE_SA of a member of no group may go, too
        with contextlib.nullcontext(other) if not other.closed else \
                member_of_green(lab, SECOND) as back:
            again = ask(back, sender(1))
            check(set(again.keys) == set(given.keys)
                  and not set(again.sender_ids()) & set(given.sender_ids()),
                  f"{again.sender_ids()} after {given.sender_ids()}")


@case("a GSA that is larger than a fragment comes in fragments: registration, and rekey in band")
def fragments(lab):
    with key_server_setting(lab, "charon {", f"fragment_size = {FRAGMENT}"), \
            established(lab) as ike_sa:
        answer = register(ike_sa, RED, sender(1))
        check_granted(answer)
        Given(ike_sa, answer)
        lab.vtysh("sr", "gsa rekey group red")
        request, _ = await_rekey(ike_sa, [])
        for message in (answer, request):
            sizes = [len(packet) for packet in message.fragments]
            check(len(sizes) > 1 and max(sizes) <= FRAGMENT - 28, f"fragments of {sizes}")
        packet = ike_sa.encrypted(GSA_REGISTRATION, [RED])
        answers = [ike_sa.transmit(packet) for _ in range(2)]
        ike_sa.message_id += 1
        check(answers[0].fragments == answers[1].fragments, "sent again, it has other fragments")


@case("the lab's members have all the keys of the rekeys, and traffic flows")
def members(lab):
    lab.configure("sr", "no gsa group green")
    for site in ("site3", "site4"):
        wait_until(lambda site=site: lab.member(site, "red", "registered"), STEP_S,
                   f"{site} is registered")
    check(lab.registration("site3.red.example"), "site3's registration is gone")


if __name__ == "__main__":
    main()
