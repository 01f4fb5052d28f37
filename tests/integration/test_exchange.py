#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: two-groups
#
# A member of another make, which is not always right: an IKEv2 initiator in Python, from site2's
# network, with a pre-shared key for the group red.
"""GSA_REGISTRATION on the wire: layouts, keys, error notifies, malformed and untimely requests."""

import secrets
import struct

import gikev2
from harness import case, check, main, wait_until
from ikev2 import DELETE, GSA, GSA_INBAND_REKEY, GSA_REGISTRATION, ID_FQDN, ID_KEY_ID, IDG, KD, \
    NAT_DETECTION, NOTIFY, SA, Critical, identification, notify
from probe import IDENTITY, KEY_SERVER, RED, SECRET, check_granted, check_no_keys, check_refused, \
    entries, established, initiator, leave, red_state, register

UNSUPPORTED_CRITICAL_PAYLOAD, INVALID_SYNTAX, IPCOMP_SUPPORTED = 1, 7, 16387
RED_ESP = gikev2.ESP, [(gikev2.ENCR, 12, 256), (gikev2.INTEG, 12, 0), (gikev2.SN, 2, 0)]


def check_still_granted(ike_sa):
    check_granted(register(ike_sa))


@case("a granted registration: GSA and KD as the RFC draws them, the key is that of the kernels")
def layouts(lab):
    with established(lab) as ike_sa:
        answer = register(ike_sa, RED, notify(gikev2.GROUP_SENDER, struct.pack(">I", 1)))
        check_granted(answer)
        check(answer.kinds().count(GSA) == answer.kinds().count(KD) == 1,
              f"payloads {answer.kinds()}")
        check(set(answer.notifies()) == {gikev2.USE_TRANSPORT_MODE, gikev2.GROUP_IDENTIFIER},
              f"notifies {answer.notifies()}")
        identifier = lab.topology.groups["red"].identifier
        check(answer.notifies()[gikev2.GROUP_IDENTIFIER] == struct.pack(">I", identifier),
              f"group identifier {answer.notifies()}")
        data_sas, group_wide = gikev2.policy(answer.bodies(GSA)[0])
        keys, member = gikev2.key_download(answer.bodies(KD)[0], ike_sa.group_key_wrap_key())
        spi, key = red_state(lab)
        check([data_sa[0] for data_sa in data_sas] == [spi] == list(keys),
              f"SPIs of GSA {data_sas}, of KD {list(keys)}, of the kernel {spi:#x}")
        # AES-CBC-256, HMAC-SHA-256-128; many senders: 32-bit unspecified sequence numbers
        check(data_sas[0][1] == {gikev2.ENCR: (12, [(14, 256)]), gikev2.INTEG: (12, []),
                                 gikev2.SN: (2, [])}, f"transforms {data_sas[0][1]}")
        check({kind for kind, _ in data_sas[0][2]} <= {1}, f"SA attributes {data_sas[0][2]}")
        check({kind for kind, _ in group_wide or []} <= {1, 2}, f"group-wide {group_wide}")
        # no counter mode: no Sender-ID (§4.5.3.3)
        check(member is None, f"member key bag {member}")
        check(keys[spi] == key, "the unwrapped key is not that of site3's kernel")


@case("a request sent again gets the same answer, octet for octet, and one registration")
def retransmission(lab):
    with established(lab) as ike_sa:
        packet = ike_sa.encrypted(GSA_REGISTRATION, [RED])
        answers = [ike_sa.transmit(packet) for _ in range(3)]
        ike_sa.message_id += 1
        check_granted(answers[0])
        check(len({answer.packet for answer in answers}) == 1, "the answers differ")
        check(len(entries(lab)) == 1, f"registrations {entries(lab)}")


@case("a request that comes in fragments is granted like any other")
def fragments(lab):
    with established(lab) as ike_sa:
        packets = ike_sa.fragments(GSA_REGISTRATION, [RED], 5)
        check(len(packets) > 1, "one fragment")
        for packet in packets[:-1]:
            ike_sa.socket.send(packet)
        answer = ike_sa.transmit(packets[-1])
        ike_sa.message_id += 1
        check_granted(answer)


@case("a member that registers once more gets the same key, and is one registration")
def duplicate(lab):
    with established(lab) as ike_sa:
        first, second = register(ike_sa), register(ike_sa)
        check_granted(first)
        check_granted(second)
        keys = [gikev2.key_download(answer.bodies(KD)[0], ike_sa.group_key_wrap_key())[0]
                for answer in (first, second)]
        check(keys[0] == keys[1], "two keys")
        check(len(entries(lab)) == 1, f"registrations {entries(lab)}")


@case("a request without a usable IDg gets INVALID_GROUP_ID, no keys, and harms nothing")
def malformed(lab):
    shapes = {
        "no IDg": [],
        "an empty IDg": [(IDG, b"")],
        "IDg of 1 octet": [(IDG, b"\x0b")],
        "IDg of 3 octets": [(IDG, b"\x0b\0\0")],
        "IDg without a name": [(IDG, identification(ID_KEY_ID, ""))],
        "a name of 65 octets": [(IDG, identification(ID_KEY_ID, "r" * 65))],
        "a name of 8000 octets": [(IDG, identification(ID_KEY_ID, "r" * 8000))],
        "a name with a NUL": [(IDG, identification(ID_KEY_ID, "red\0"))],
        "a name and an end of line": [(IDG, identification(ID_KEY_ID, "red\nred"))],
        "a format": [(IDG, identification(ID_KEY_ID, "%n%s%s%s"))],
        "type 0": [(IDG, identification(0, "red"))],
        "type FQDN": [(IDG, identification(ID_FQDN, "red"))],
        "an IPv4 address of 3 octets": [(IDG, identification(1, "red"))],
        "type 255": [(IDG, identification(255, "red"))],
        "an unknown group": [(IDG, identification(ID_KEY_ID, "green"))],
        "another case": [(IDG, identification(ID_KEY_ID, "Red"))],
    }
    with established(lab) as ike_sa:
        for shape, payloads in shapes.items():
            answer = ike_sa.request(GSA_REGISTRATION, payloads)
            try:
                check_refused(answer, gikev2.INVALID_GROUP_ID)
            except Exception as error:
                raise type(error)(f"{shape}: {error}") from error
        check(not entries(lab), f"registrations {entries(lab)}")
        check_still_granted(ike_sa)


@case("a payload whose length is wrong gets INVALID_SYNTAX and no keys; its IKE_SA ends")
def wrong_lengths(lab):
    body = identification(ID_KEY_ID, "red")
    for length in (0, 3, len(body) + 5, 65535):
        with initiator(lab).establish(IDENTITY, KEY_SERVER, SECRET) as ike_sa:
            check_refused(register(ike_sa, (IDG, body, length)), INVALID_SYNTAX)
            # RFC 7296 §2.21.3: fatal for the IKE_SA
            ike_sa.closed = True
    check(not entries(lab), f"registrations {entries(lab)}")
    with established(lab) as ike_sa:
        check_still_granted(ike_sa)


@case("what a GROUP_SENDER notify or a payload nobody knows holds cannot do harm")
def odd_payloads(lab):
    with established(lab) as ike_sa:
        for data in (b"", b"\0", b"\0\0\0", b"\xff" * 4, b"\0" * 5, b"\xff" * 400):
            check_granted(register(ike_sa, RED, notify(gikev2.GROUP_SENDER, data)))
        check_granted(register(ike_sa, RED, (200, b"what is not critical is skipped")))
        check(len(entries(lab)) == 1, f"registrations {entries(lab)}")


@case("the critical bit of IDg and SAg does not matter, that of a payload nobody knows does")
def critical(lab):
    with established(lab) as ike_sa:
        check_granted(register(ike_sa, Critical(RED),
                               Critical((SA, gikev2.supported(RED_ESP)))))
        answer = register(ike_sa, RED, Critical((200, b"what is critical is not skipped")))
        check(answer.payloads == [(NOTIFY, struct.pack(
            ">BBHB", 0, 0, UNSUPPORTED_CRITICAL_PAYLOAD, 200))], f"payloads {answer.payloads}")
        check_still_granted(ike_sa)


@case("IPCOMP_SUPPORTED, whatever its CPI, changes nothing in the answer")
def compression(lab):
    with established(lab) as ike_sa:
        plain = register(ike_sa)
        check_granted(plain)
        for cpi in (0, 0x1234):
            answer = register(ike_sa, RED, notify(IPCOMP_SUPPORTED, struct.pack(">HB", cpi, 3)))
            check_granted(answer)
            check(answer.bodies(GSA) == plain.bodies(GSA) and answer.notifies() == plain.notifies(),
                  f"notifies {answer.notifies()}, policy {answer.bodies(GSA)}")


def check_rekeyed(lab, ike_sa):
    lab.vtysh("sr", "gsa rekey group red")
    ike_sa.await_request(lambda request: request.exchange == GSA_INBAND_REKEY
                         and request.bodies(KD), 60)


@case("over port 4500 from the first message on all is as over port 500")
def other_port(lab):
    ike_sa = initiator(lab)
    ike_sa.go_to(4500)
    with ike_sa.establish(IDENTITY, KEY_SERVER, SECRET):
        check_still_granted(ike_sa)
        check_rekeyed(lab, ike_sa)
        leave(lab, ike_sa)


@case("behind a NAT: it is found, the rest is over port 4500, rekeys follow a mapping that changes")
def translated(lab):
    with initiator(lab).init(*(notify(kind, bytes(20)) for kind in NAT_DETECTION)) as ike_sa:
        found = ike_sa.decrypt(ike_sa.init_answer).notifies()
        check(all(len(found.get(kind, b"")) == 20 for kind in NAT_DETECTION), f"notifies {found}")
        ike_sa.go_to(4500)
        answer = ike_sa.authenticate(IDENTITY, KEY_SERVER, SECRET)
        check(not answer.errors(), f"errors {answer.errors()}")
        check_still_granted(ike_sa)
        check_rekeyed(lab, ike_sa)
        ike_sa.go_to(4500)
        check_still_granted(ike_sa)
        del ike_sa.requests[:]
        check_rekeyed(lab, ike_sa)
        check(len(entries(lab)) == 1, f"registrations {entries(lab)}")
        leave(lab, ike_sa)


@case("a group whose policy does not permit the peer: AUTHORIZATION_FAILED and no keys")
def not_permitted(lab):
    with established(lab) as ike_sa:
        check_refused(register(ike_sa, (IDG, identification(ID_KEY_ID, "blue"))),
                      gikev2.AUTHORIZATION_FAILED)
        check(not entries(lab), f"registrations {entries(lab)}")
        check_still_granted(ike_sa)


@case("nothing carries keys before the peer has authenticated, nor after it failed to")
def before_authentication(lab):
    with initiator(lab).init() as ike_sa:
        for packet in (ike_sa.encrypted(GSA_REGISTRATION, [RED]),
                       ike_sa.encrypted(GSA_REGISTRATION, [RED], message_id=0),
                       ike_sa.encrypted(GSA_REGISTRATION, [RED], message_id=2),
                       ike_sa.clear(GSA_REGISTRATION, [RED])):
            for answer in ike_sa.whatever_comes(packet):
                check_no_keys(answer)
    with initiator(lab).init() as ike_sa:
        answer = ike_sa.authenticate(IDENTITY, KEY_SERVER, secrets.token_hex(24))
        check(answer.errors() == [24], f"a wrong key: {answer.kinds()}, {answer.errors()}")
        for answer in ike_sa.whatever_comes(ike_sa.encrypted(GSA_REGISTRATION, [RED])):
            check_no_keys(answer)
    check(not entries(lab), f"registrations {entries(lab)}")


@case("requests in clear text over an authenticated IKE_SA are as if they were not sent")
def clear_text(lab):
    with established(lab) as ike_sa:
        check_still_granted(ike_sa)
        for payloads in ([RED], [], [RED, notify(gikev2.REGISTRATION_FAILED)], [(IDG, b"")]):
            found = ike_sa.whatever_comes(ike_sa.clear(GSA_REGISTRATION, payloads))
            check(not found, f"answered by {[(one.kinds(), one.errors()) for one in found]}")
        check(len(entries(lab)) == 1, f"registrations {entries(lab)}")
        check_still_granted(ike_sa)


@case("a member that leaves, or does not accept the policy, gets an empty answer and is out")
def departure(lab):
    with established(lab) as ike_sa:
        for kind in (gikev2.NO_PROPOSAL_CHOSEN, gikev2.REGISTRATION_FAILED):
            check_granted(register(ike_sa))
            check(entries(lab), "not registered")
            answer = register(ike_sa, RED, notify(kind))
            check(not answer.payloads, f"payloads {answer.kinds()} answer a departure")
            wait_until(lambda: not entries(lab), 20, "the end of the registration")
        answer = register(ike_sa, RED, notify(gikev2.REGISTRATION_FAILED))
        check(not answer.payloads, f"payloads {answer.kinds()} answer a second departure")


@case("while gcksd is away: REGISTRATION_FAILED and no keys; afterwards it is granted")
def without_gcksd(lab):
    with established(lab) as ike_sa:
        lab.kill("sr", "gcksd")
        check_refused(register(ike_sa), gikev2.REGISTRATION_FAILED)
        lab.start("sr", "gcksd")
        wait_until(lambda: register(ike_sa).bodies(KD), 60, "a registration that is granted")


@case("a peer whose permission ends is told by Deletes: all data SAs, and the member itself")
def deletes(lab):
    with established(lab) as ike_sa:
        check_granted(register(ike_sa))
        lab.configure("sr", "gsa group red", f"deny identity {IDENTITY}")
        try:
            request = ike_sa.await_request(lambda request: any(
                body[0] == gikev2.ESP for body in request.bodies(DELETE)))
            found = {body[0]: body[1:] for body in request.bodies(DELETE)}
            # ESP: one SPI of 4 octets, 0; GIKE_UPDATE (6): one of 16 octets, 0 (§2.4.3)
            check(found == {gikev2.ESP: bytes([4, 0, 1]) + bytes(4),
                            6: bytes([16, 0, 1]) + bytes(16)}, f"Deletes {found}")
            wait_until(lambda: not entries(lab), 20, "the end of the registration")
            if not ike_sa.closed:
                check_no_keys(register(ike_sa))
        finally:
            lab.configure("sr", "gsa group red", f"no deny identity {IDENTITY}")


@case("the members that were there before are registered as at the start")
def others(lab):
    groups = lab.topology.groups_of("site3")
    wait_until(lambda: lab.registered_groups("site3") == {group.name for group in groups}, 60,
               "site3's registrations")
    check(not entries(lab), f"registrations {entries(lab)}")


if __name__ == "__main__":
    main()
