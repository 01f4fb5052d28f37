#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: two-groups
#
# A member of another make, which is not always right: an IKEv2 initiator in Python, from site2's
# network, with a pre-shared key for the group red or a certificate for the group blue; and site4,
# whose member is told to open with GSA_AUTH.
"""GSA_AUTH (RFC 9838 §2.3.1): registration in the exchange that authenticates."""

import contextlib
import secrets
import struct

import certificates
import gikev2
from harness import case, check, main, wait_until
from ikev2 import (AUTH, CERT, GSA, GSA_AUTH, GSA_REGISTRATION, ID_KEY_ID, IDG, IDR, IKE_AUTH, KD,
                   NOTIFY, SA, Critical, identification, notify)
from observe import check_reachability
from probe import IDENTITY, KEY_SERVER, RED, SECRET, check_granted, check_no_keys, entries, \
    initiator, leave, red_state, register

AUTHENTICATION_FAILED = 24
BLUE = (IDG, identification(ID_KEY_ID, "blue"))
CERTIFIED, CERTIFIED_KEY_SERVER = "probe.blue.example", "sr.blue.example"
SUPPORTED = (SA, gikev2.supported((gikev2.ESP, [(1, 12, 256), (3, 12, 0), (5, 2, 0)])))
SENDER = notify(gikev2.GROUP_SENDER, struct.pack(">I", 1))
STEP_S = 60


@contextlib.contextmanager
def opened(lab, *payloads, secret=SECRET):
    """(IKE_SA, answer) of a GSA_AUTH with a pre-shared key and more payloads."""
    with initiator(lab).init() as ike_sa:
        answer = ike_sa.request(GSA_AUTH, ike_sa.authentication(IDENTITY, KEY_SERVER, secret)
                                + list(payloads))
        yield ike_sa, answer
        if AUTH in answer.kinds():
            leave(lab, ike_sa)
        else:
            ike_sa.closed = True


def check_layout(answer):
    """IDr, AUTH, GSA and KD, one each, notifies, and nothing of a CHILD_SA."""
    kinds = answer.kinds()
    check(all(kinds.count(kind) == 1 for kind in (IDR, AUTH, GSA, KD)), f"payloads {kinds}")
    check(set(kinds) <= {IDR, CERT, AUTH, GSA, KD, NOTIFY}, f"payloads {kinds}")
    check(not answer.errors(), f"errors {answer.errors()}")
    check(gikev2.USE_TRANSPORT_MODE in answer.notifies(), f"notifies {answer.notifies()}")


def check_refused(ike_sa, answer, expected, secret=SECRET):
    """Authenticated both ways, one error notify without SPI and data, no keys (§2.3.1, §4.7)."""
    ike_sa.check_peer(answer, secret)
    check_no_keys(answer)
    check(answer.errors() == [expected], f"errors {answer.errors()}, not {expected}")
    check((NOTIFY, struct.pack(">BBH", 0, 0, expected)) in answer.payloads,
          f"the notify has SPI or data: {answer.bodies(NOTIFY)}")


@case("with a pre-shared key: authenticated, GSA and KD in one exchange; the key is that of the kernels")
def shared_key(lab):
    with opened(lab, RED, SUPPORTED, SENDER) as (ike_sa, answer):
        check_layout(answer)
        ike_sa.check_peer(answer, SECRET)
        keys, member = gikev2.key_download(answer.bodies(KD)[0], ike_sa.group_key_wrap_key())
        spi, key = red_state(lab)
        data_sas, _ = gikev2.policy(answer.bodies(GSA)[0])
        check([data_sa[0] for data_sa in data_sas] == [spi], f"policy {data_sas}")
        check(keys == {spi: key}, "not the key of site3's kernel")
        check(member is None, f"member key bag {member}")
        check(len(entries(lab)) == 1, f"registrations {entries(lab)}")


@case("with a certificate: the same, for the group whose policy wants one")
def certified(lab):
    with initiator(lab).init() as ike_sa:
        answer = ike_sa.request(GSA_AUTH, ike_sa.certified(
            CERTIFIED, CERTIFIED_KEY_SERVER, certificates.Authority("blue").issue(CERTIFIED))
                                + [BLUE, SENDER])
        check_layout(answer)
        ike_sa.check_peer(answer)
        keys, _ = gikev2.key_download(answer.bodies(KD)[0], ike_sa.group_key_wrap_key())
        check(set(keys) <= {state["spi"] for state in lab.states("site1")},
              f"SPIs {[hex(spi) for spi in keys]} are not those of site1's kernel")
        found = lab.registration(CERTIFIED)
        check(found and found["group"] == "blue", f"registration {found}")
        register(ike_sa, BLUE, notify(gikev2.REGISTRATION_FAILED))
        wait_until(lambda: not lab.registration(CERTIFIED), STEP_S, "the end of the registration")


@case("IDg and SAg with the critical bit are taken like any other")
def critical(lab):
    with opened(lab, Critical(RED), Critical(SUPPORTED), SENDER) as (ike_sa, answer):
        check_layout(answer)
        ike_sa.check_peer(answer, SECRET)


@case("a credential of the wrong kind is authenticated, and refused for the group")
def wrong_credential(lab):
    with opened(lab, BLUE) as (ike_sa, answer):
        check_refused(ike_sa, answer, gikev2.AUTHORIZATION_FAILED)


@case("group-related errors: IDr, AUTH and one notify, never GSA and KD; the IKE_SA can be used")
def group_errors(lab):
    shapes = {
        "no IDg": ([], gikev2.INVALID_GROUP_ID),
        "IDg of 3 octets": ([(IDG, b"\x0b\0\0")], gikev2.INVALID_GROUP_ID),
        "IDg without a name": ([(IDG, identification(ID_KEY_ID, ""))], gikev2.INVALID_GROUP_ID),
        "type 255": ([(IDG, identification(255, "red"))], gikev2.INVALID_GROUP_ID),
        "an unknown group": ([(IDG, identification(ID_KEY_ID, "green"))],
                             gikev2.INVALID_GROUP_ID),
        "another group": ([BLUE, SENDER], gikev2.AUTHORIZATION_FAILED),
        "another cipher": ([RED, (SA, gikev2.supported((gikev2.ESP, [(1, 20, 256), (5, 2, 0)])))],
                           gikev2.NO_PROPOSAL_CHOSEN),
    }
    for shape, (payloads, expected) in shapes.items():
        try:
            with opened(lab, *payloads) as (ike_sa, answer):
                check_refused(ike_sa, answer, expected)
                check(not entries(lab), f"registrations {entries(lab)}")
                check_granted(register(ike_sa))
        except Exception as error:
            raise type(error)(f"{shape}: {error}") from error


@case("an IKE_SA without key wrap algorithm is authenticated and gets no keys")
def no_key_wrap(lab):
    with initiator(lab, key_wrap=()).init() as ike_sa:
        answer = ike_sa.request(GSA_AUTH, ike_sa.authentication(IDENTITY, KEY_SERVER, SECRET)
                                + [RED])
        check_refused(ike_sa, answer, gikev2.NO_PROPOSAL_CHOSEN)


@case("a peer that is refused and asks for nothing more loses its IKE_SA after a while")
def closed(lab):
    with opened(lab, BLUE) as (ike_sa, answer):
        check_no_keys(answer)
        ike_sa.await_request(lambda request: request.bodies(42))
        check(ike_sa.closed, "it was not the IKE_SA that was deleted")


@case("a peer that fails to authenticate: AUTHENTICATION_FAILED alone; gcksd is not asked")
def not_authenticated(lab):
    with opened(lab, RED, SENDER, secret=secrets.token_hex(24)) as (_, answer):
        check_no_keys(answer)
        check(answer.payloads == [(NOTIFY, struct.pack(">BBH", 0, 0, AUTHENTICATION_FAILED))],
              f"payloads {answer.payloads}")
    check(not entries(lab), f"registrations {entries(lab)}")


@case("a request sent again gets the same answer, octet for octet, and one registration")
def retransmission(lab):
    with initiator(lab).init() as ike_sa:
        packet = ike_sa.encrypted(GSA_AUTH, ike_sa.authentication(IDENTITY, KEY_SERVER, SECRET)
                                  + [RED])
        answers = [ike_sa.transmit(packet) for _ in range(3)]
        ike_sa.message_id += 1
        check(answers[0].exchange == GSA_AUTH, f"exchange {answers[0].exchange}")
        check_granted(answers[0])
        check(len({answer.packet for answer in answers}) == 1, "the answers differ")
        check(len(entries(lab)) == 1, f"registrations {entries(lab)}")
        leave(lab, ike_sa)


@case("a request that comes in fragments is granted like any other")
def fragments(lab):
    with initiator(lab).init() as ike_sa:
        packets = ike_sa.fragments(GSA_AUTH, ike_sa.authentication(
            IDENTITY, KEY_SERVER, SECRET) + [RED, SUPPORTED], 40)
        check(len(packets) > 3, f"{len(packets)} fragments")
        for packet in packets[:-1]:
            ike_sa.socket.send(packet)
        answer = ike_sa.transmit(packets[-1])
        ike_sa.message_id += 1
        check(answer.exchange == GSA_AUTH, f"exchange {answer.exchange}")
        check_granted(answer)
        leave(lab, ike_sa)


@case("IDg in an IKE_AUTH does not register; a GSA_AUTH in clear, or late, is not answered")
def untimely(lab):
    with initiator(lab).init() as ike_sa:
        authentication = ike_sa.authentication(IDENTITY, KEY_SERVER, SECRET)
        for payloads in (authentication + [RED], [RED]):
            found = ike_sa.whatever_comes(ike_sa.clear(GSA_AUTH, payloads))
            check(not found, f"answered by {[(one.kinds(), one.errors()) for one in found]}")
        answer = ike_sa.request(IKE_AUTH, authentication + [RED])
        ike_sa.check_peer(answer, SECRET)
        check_no_keys(answer)
        check(not answer.errors() and not entries(lab), f"errors {answer.errors()}")
        found = ike_sa.whatever_comes(ike_sa.encrypted(GSA_AUTH, authentication + [RED]))
        check(not found, f"answered by {[(one.kinds(), one.errors()) for one in found]}")
        check_granted(ike_sa.request(GSA_REGISTRATION, [RED]))
        leave(lab, ike_sa)


@case("our member opens with GSA_AUTH if it is told to, and traffic flows as before")
def member(lab):
    lab.configure("site4", "no gsa member red")
    wait_until(lambda: not lab.registration("site4.red.example"), STEP_S, "site4 has left")
    since = len(lab.log_lines("site4", "charon", "generating"))
    header, *lines = lab.declared_block("site4", "gsa member red")
    lab.configure("site4", header, "initial-exchange gsa-auth", *lines)
    wait_until(lambda: lab.registration("site4.red.example")
               and lab.member("site4", "red", "registered"), STEP_S, "site4 is registered")
    sent = [line.split("generating ")[1].split(" [")[0]
            for line in lab.log_lines("site4", "charon", "generating")[since:]]
    asked = [name for name in sent if "AUTH" in name or "GSA" in name]
    check(asked == ["GSA_AUTH request 1"], f"site4 sent {asked}")
    check_reachability(lab)


@case("our member that is refused so says why, keeps no key, and tries again until it is let in")
def member_refused(lab):
    lab.configure("sr", "gsa group red", "deny identity site4.red.example")
    try:
        state = wait_until(lambda: lab.member("site4", "red", "refused"), STEP_S,
                           "site4's member is refused")
        check("AUTHORIZATION_FAILED" in str(state), f"state {state}")
        wait_until(lambda: not [one for one in lab.states("site4") if one["group"]], STEP_S,
                   "site4's kernel holds nothing of the group")
    finally:
        lab.configure("sr", "gsa group red", "no deny identity site4.red.example")
    wait_until(lambda: lab.member("site4", "red", "registered"), STEP_S, "site4 is registered")
    check_reachability(lab)


if __name__ == "__main__":
    main()
