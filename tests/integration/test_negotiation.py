#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: two-groups
#
# A member of another make, which is not always right: an IKEv2 initiator in Python, from site2's
# network, with a pre-shared key for the group red.
"""What a member and its key server agree on: the key wrap algorithm in IKE_SA_INIT, what the
member supports (SAg) against what the group uses, and the port if there is a NAT.
"""

import os

import gikev2
from gikev2 import AH, ENCR, ESP, GIKE_UPDATE, INTEG, KWA, SN
from harness import case, check, main, wait_until
from ikev2 import GSA_REGISTRATION, ID_KEY_ID, IDG, KD, SA, identification
from observe import await_log, check_reachability
from probe import IDENTITY, RED, check_granted, check_refused, entries, established, \
    key_server_setting, red_state, register

STEP_S = 60

CBC_256, CBC_128, GCM_256 = (ENCR, 12, 256), (ENCR, 12, 128), (ENCR, 20, 256)
SHA_256, SHA_384 = (INTEG, 12, 0), (INTEG, 13, 0)
SEQUENTIAL, ESN, UNSPECIFIED = (SN, 0, 0), (SN, 1, 0), (SN, 2, 0)
KEY_WRAP = (GIKE_UPDATE, [(KWA, 3, 0)])
# what red uses
RED_ESP = (ESP, [CBC_256, SHA_256, UNSPECIFIED])


def sag(*proposals):
    return SA, gikev2.supported(*proposals)


@case("each key wrap algorithm that IKE_SA_INIT may negotiate unwraps to the group's key")
def key_wrap(lab):
    for offered, chosen in (((3,), 3), ((2,), 2), ((1,), 1), ((1, 2, 3), 3), ((4, 1), 1)):
        with established(lab, key_wrap=offered) as ike_sa:
            check(ike_sa.key_wrap_algorithm == chosen,
                  f"of {offered} the key server chose {ike_sa.key_wrap_algorithm}")
            answer = register(ike_sa)
            check_granted(answer)
            keys, _ = gikev2.key_download(answer.bodies(KD)[0], ike_sa.group_key_wrap_key())
            spi, key = red_state(lab)
            check(keys == {spi: key}, f"algorithm {chosen}: not the key of site3's kernel")


@case("an IKE_SA without key wrap algorithm gets no keys: NO_PROPOSAL_CHOSEN, and a log line")
def no_key_wrap(lab):
    with established(lab, key_wrap=()) as ike_sa:
        check_refused(register(ike_sa), gikev2.NO_PROPOSAL_CHOSEN)
        check(not entries(lab), f"registrations {entries(lab)}")
    await_log(lab, "sr", "charon", IDENTITY, "negotiated no key wrap algorithm")


@case("key_wrap_default says how such a peer unwraps, if its operator knows")
def key_wrap_default(lab):
    with key_server_setting(lab, "gsa {", "key_wrap_default = kw5649_256"), \
            established(lab, key_wrap=()) as ike_sa:
        answer = register(ike_sa)
        check_granted(answer)
        keys, _ = gikev2.key_download(answer.bodies(KD)[0], ike_sa.group_key_wrap_key())
        spi, key = red_state(lab)
        check(keys == {spi: key}, "not the key of site3's kernel")
    no_key_wrap(lab)


@case("SAg that covers the group's policy is granted, however it is put together")
def covered(lab):
    shapes = {
        "as the group": [RED_ESP],
        "with the key wrap algorithm": [RED_ESP, KEY_WRAP],
        "AEAD and other ciphers in one proposal": [
            (ESP, [GCM_256, CBC_128, CBC_256, SHA_384, SHA_256, SEQUENTIAL, UNSPECIFIED])],
        "the second proposal": [(ESP, [GCM_256, SEQUENTIAL]), RED_ESP],
        "after AH": [(AH, [SHA_256, UNSPECIFIED]), RED_ESP],
        "a transform type that nobody knows": [
            (ESP, [(240, 1, 0), CBC_256, SHA_256, UNSPECIFIED])],
        "a protocol that nobody knows": [(201, [(1, 1, 0)]), RED_ESP],
    }
    # only ESP is used: that proposals of one number go together binds nothing (§2.3.3)
    numbered = gikev2.supported(KEY_WRAP, RED_ESP, last_number=2)
    with established(lab) as ike_sa:
        for shape, proposals in shapes.items():
            try:
                check_granted(register(ike_sa, RED, sag(*proposals)))
            except Exception as error:
                raise type(error)(f"{shape}: {error}") from error
        check_granted(register(ike_sa, RED, (SA, numbered)))
        # what stands in the place of an SPI does not count (§2.3.3)
        body = bytearray(gikev2.supported(RED_ESP))
        body[2:4] = (len(body) + 4).to_bytes(2, "big")
        body[6] = 4
        check_granted(register(ike_sa, RED, (SA, bytes(body[:8] + b"\1\2\3\4" + body[8:]))))


@case("SAg that does not cover it: NO_PROPOSAL_CHOSEN and no keys; without SAg it is granted")
def not_covered(lab):
    shapes = {
        "another cipher": [(ESP, [GCM_256, UNSPECIFIED])],
        "another key length": [(ESP, [CBC_128, SHA_256, UNSPECIFIED])],
        "no key length": [(ESP, [(ENCR, 12, 0), SHA_256, UNSPECIFIED])],
        "another integrity algorithm": [(ESP, [CBC_256, SHA_384, UNSPECIFIED])],
        "no integrity algorithm": [(ESP, [CBC_256, UNSPECIFIED])],
        "other sequence numbers": [(ESP, [CBC_256, SHA_256, SEQUENTIAL, ESN])],
        "no sequence numbers": [(ESP, [CBC_256, SHA_256])],
        "all of it, in two proposals": [(ESP, [CBC_256, SHA_384, UNSPECIFIED]),
                                        (ESP, [CBC_128, SHA_256, UNSPECIFIED])],
        "AH only": [(AH, [SHA_256, UNSPECIFIED])],
        "a Rekey SA only": [KEY_WRAP],
    }
    with established(lab) as ike_sa:
        for shape, proposals in shapes.items():
            try:
                check_refused(register(ike_sa, RED, sag(*proposals)), gikev2.NO_PROPOSAL_CHOSEN)
            except Exception as error:
                raise type(error)(f"{shape}: {error}") from error
        check(not entries(lab), f"registrations {entries(lab)}")
        check_granted(register(ike_sa))


@case("a member that is registered and then says it cannot use the policy gets no keys either")
def no_longer(lab):
    with established(lab) as ike_sa:
        check_granted(register(ike_sa, RED, sag(RED_ESP)))
        check_refused(register(ike_sa, RED, sag((ESP, [GCM_256, UNSPECIFIED]))),
                      gikev2.NO_PROPOSAL_CHOSEN)


@case("a group that does not exist or does not permit the peer is refused as such, whatever SAg says")
def other_refusals(lab):
    with established(lab) as ike_sa:
        wrong = sag((ESP, [GCM_256, UNSPECIFIED]))
        for name, expected in (("green", gikev2.INVALID_GROUP_ID),
                               ("blue", gikev2.AUTHORIZATION_FAILED)):
            group = (IDG, identification(ID_KEY_ID, name))
            check_refused(ike_sa.request(GSA_REGISTRATION, [group, wrong]), expected)


@case("the lab's own members say what they support and that they send; it covers both groups")
def members(lab):
    for site, group in (("site3", "red"), ("site1", "blue")):
        lines = lab.log_lines(site, "charon", "generating GSA_REGISTRATION request")
        check(lines and all(" SA " in line and "N(SENDER_REQ_ID)" in line for line in lines),
              f"{site}: {lines}")
        check(group in lab.registered_groups(site), f"{site} is not registered with {group}")
        proposals = lab.log_lines(site, "charon", "selected proposal: IKE:", f"<{group}|")
        check(proposals and all("KW_5649_256" in line for line in proposals),
              f"{site}: {proposals}")


def join_anew(lab, site, group, connections):
    """Leaves, has charon load other connections, and joins."""
    identity = f"{site}.{group}.example"
    lab.configure(site, f"no gsa member {group}")
    wait_until(lambda: not lab.registration(identity), STEP_S, f"{site} has left")
    with open(swanctl_conf(site), "w", encoding="ascii") as file:
        file.write(connections)
    lab.run(site, "swanctl", "--load-conns")
    lab.configure(site, *lab.declared_block(site, f"gsa member {group}"))
    wait_until(lambda: lab.registration(identity) and lab.member(site, group, "registered"),
               STEP_S, f"{site} is registered")


def swanctl_conf(site):
    return os.path.join(os.environ["LAB_RUN"], site, "etc/swanctl/swanctl.conf")


def port_of(lab, site, group):
    """Of the key server, as the site's charon sees it."""
    line = next(line for line in lab.run(site, "swanctl", "--list-sas").splitlines()
                if f"'sr.{group}.example'" in line)
    return int(line.rsplit("[", 1)[1].rstrip("]"))


@case("a member that finds a NAT registers and is rekeyed over port 4500; its ESP is as before")
def translated(lab):
    check(port_of(lab, "site4", "red") == 500, "site4 was there before")
    with open(swanctl_conf("site4"), encoding="ascii") as file:
        connections = file.read()
    # `encap` has charon say in IKE_SA_INIT that there is one
    join_anew(lab, "site4", "red",
              connections.replace("version = 2\n", "version = 2\n    encap = yes\n"))
    check(port_of(lab, "site4", "red") == 4500, "site4 did not change the port")
    check_reachability(lab)
    old = lab.member("site4", "red", "registered")["sa"][-1]["spi"]
    lab.vtysh("sr", "gsa rekey group red")
    wait_until(lambda: lab.member("site4", "red", "registered")["sa"][-1]["spi"] != old, STEP_S,
               "site4 has the new SA")
    join_anew(lab, "site4", "red", connections)
    check(port_of(lab, "site4", "red") == 500, "site4 is still over port 4500")
    check_reachability(lab)


if __name__ == "__main__":
    main()
