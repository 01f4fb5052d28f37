#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: credentials
#
#   site1 ──┐              ┌── site4   public-key: a raw public key
#   site2 ──┼── provider ──┤
#   site3 ──┘       │      └── site5   eap: a password, the key server's certificate
#                   sr
#
#   site1 certificate, site2 authority: certificates of two CAs; site3 psk: a pre-shared key
"""Every kind of credential in GSA_AUTH (RFC 9838 §2.3.1), also one that takes several rounds: of
our members, and on the wire of a member of another make (openers.py)."""

import struct

import gikev2
from harness import case, check, main, wait_until
from ikev2 import GSA, GSA_REGISTRATION, ID_KEY_ID, IDG, KD, NOTIFY, identification, notify
from openers import Certificate, Eap, Psk, PublicKey, initiator

KINDS = {"site1": "certificate", "site2": "authority", "site3": "psk", "site4": "public-key",
         "site5": "eap"}
OPENERS = (Certificate, Psk, PublicKey, Eap)
STEP_S = 60


def identity(site):
    return f"{site}.{KINDS[site]}.example"


def alone(lab, site):
    """The site is in no group, and has no IKE_SA."""
    lab.configure(site, *[f"no gsa member {group}" for group in KINDS.values()
                          if lab.member(site, group)])
    wait_until(lambda: "ESTABLISHED" not in lab.run(site, "swanctl", "--list-sas"), STEP_S,
               f"{site} has no IKE_SA")
    wait_until(lambda: not lab.registration(identity(site)), STEP_S, f"{site} has left")
    return len(lab.log_lines(site, "charon", "generating"))


def open_for(lab, site, group):
    header, *lines = lab.declared_block(site, f"gsa member {group}")
    lab.configure(site, header, "initial-exchange gsa-auth", *lines)


def asked(lab, site, since):
    sent = [line.split("generating ")[1].split(" [")[0].rsplit(" ", 1)[0]
            for line in lab.log_lines(site, "charon", "generating")[since:]]
    return [name for name in sent if name in ("IKE_AUTH request", "GSA_AUTH request",
                                              "GSA_REGISTRATION request")]


def opener_of(lab, kind):
    """Its credential is made, and known to the S/R, once."""
    known = lab.__dict__.setdefault("openers", {})
    if kind not in known:
        known[kind] = kind(lab)
    return known[kind]


def group_id(group):
    return IDG, identification(ID_KEY_ID, group)


def kernel_sas(lab, group):
    """{SPI: its keys} of the group's member of our make."""
    found = {}
    for site in (site for site, kind in KINDS.items() if kind == group):
        for state in lab.states(site):
            if state["group"] == group:
                keys = dict(zip(state["algorithms"], state["keys"]))
                found[state["spi"]] = bytes.fromhex(keys["cbc(aes)"] + keys["hmac(sha256)"])
    return found


@case("on the wire each kind gets the group's key in its GSA_AUTH, and the last message alone has it")
def granted(lab):
    for kind in OPENERS:
        opener = opener_of(lab, kind)
        with initiator(lab).init() as ike_sa:
            first, last = opener.open(ike_sa, [group_id(opener.group)])
            check(first is last or not (first.bodies(KD) or first.bodies(GSA)),
                  f"{opener.group}: keys before the member is authenticated")
            check(len(last.bodies(KD)) == len(last.bodies(GSA)) == 1 and not last.errors(),
                  f"{opener.group}: payloads {last.kinds()}, errors {last.errors()}")
            keys, member = gikev2.key_download(last.bodies(KD)[0], ike_sa.group_key_wrap_key())
            data_sas, _ = gikev2.policy(last.bodies(GSA)[0])
            check([one[0] for one in data_sas] == list(keys) and member is None,
                  f"{opener.group}: policy {data_sas}, SPIs {list(keys)}, {member}")
            check(keys == kernel_sas(lab, opener.group),
                  f"{opener.group}: not the key of the other member's kernel")
            entry = lab.registration(opener.identity)
            check(entry and entry["group"] == opener.group
                  and entry["credential"] == opener.group, f"registration {entry}")
            ike_sa.request(GSA_REGISTRATION, [group_id(opener.group),
                                              notify(gikev2.REGISTRATION_FAILED)])
            wait_until(lambda identity=opener.identity: not lab.registration(identity), STEP_S,
                       "the end of the registration")


@case("on the wire each kind is authenticated for the other groups, told AUTHORIZATION_FAILED, no key")
def refused(lab):
    expected = NOTIFY, struct.pack(">BBH", 0, 0, gikev2.AUTHORIZATION_FAILED)
    for kind in OPENERS:
        opener = opener_of(lab, kind)
        for group in set(KINDS.values()) - {opener.group}:
            with initiator(lab).init() as ike_sa:
                answers = opener.open(ike_sa, [group_id(group)])
                check(not any(answer.bodies(KD) or answer.bodies(GSA) for answer in answers),
                      f"{opener.group} in {group}: payloads {[one.kinds() for one in answers]}")
                check(answers[-1].errors() == [gikev2.AUTHORIZATION_FAILED]
                      and expected in answers[-1].payloads,
                      f"{opener.group} in {group}: {answers[-1].payloads}")
            check(not lab.registration(opener.identity), f"{opener.identity} is registered")


@case("each kind registers in GSA_AUTH, and nowhere else; EAP does in its last round")
def each(lab):
    for site, group in KINDS.items():
        since = alone(lab, site)
        open_for(lab, site, group)
        wait_until(lambda site=site, group=group: lab.registration(identity(site))
                   and lab.member(site, group, "registered"), STEP_S, f"{site} is registered")
        found = asked(lab, site, since)
        check(set(found) == {"GSA_AUTH request"}, f"{site} sent {found}")
        check(len(found) > 1 if group == "eap" else len(found) == 1, f"{site} sent {found}")
        entry = lab.registration(identity(site))
        check(entry["group"] == group, f"registration {entry}")


@case("each kind is authenticated in GSA_AUTH, and refused for a group that wants another one")
def wrong_kind(lab):
    others = dict(zip(KINDS, [*list(KINDS.values())[1:], "certificate"]))
    for site, group in others.items():
        since = alone(lab, site)
        open_for(lab, site, group)
        state = wait_until(lambda site=site, group=group: lab.member(site, group, "refused"),
                           STEP_S, f"{site} is refused")
        check("AUTHORIZATION_FAILED" in str(state), f"{site}: {state}")
        found = asked(lab, site, since)
        check(found and found[0] == "GSA_AUTH request" and "IKE_AUTH request" not in found,
              f"{site} sent {found}")
        check(not lab.registration(identity(site)), f"{site} is registered")
        check(not [one for one in lab.states(site) if one["group"]], f"{site} holds a state")


if __name__ == "__main__":
    main()
