#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: two-groups
#
#   site4 ── provider: key_server.py, which is not always right
"""What a member asks a key server of another make for, and what it does not take from it: it says
so, and its kernel holds none of it."""

import os
import secrets
import struct

from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding

import gikev2
from harness import case, check, main, wait_until
from ikev2 import (AUTH, GSA, GSA_AUTH, GSA_REGISTRATION, ID_FQDN, ID_KEY_ID, IDG, IDR, KD, NOTIFY,
                   SA, identification, notify)
from key_server import ESP, KeyServer, substructure, tlv, transform, tv, without_key_wrap
from observe import await_log
from topology import credentials

SITE = "site4"
IDENTITY, KEY_SERVER = "site4.bad.example", "key-server.bad.example"
SECRET = credentials.psk()
STEP_S = 60

EVERYTHING = gikev2.EVERYTHING
CBC_256, GCM_256, IMPLICIT_IV = (1, 12, 256), (1, 20, 256), (1, 30, 256)
SHA_256, NONE = (3, 12, 0), (3, 0, 0)
SEQUENTIAL, ESN, UNSPECIFIED, PAIRWISE = (5, 0, 0), (5, 1, 0), (5, 2, 0), (5, 0xf001, 0)
SHARED = [CBC_256, SHA_256, UNSPECIFIED]
KEY = bytes(range(64))


def policy(spi, wanted, protocol=ESP, attributes=b""):
    transforms = b"".join(transform(index + 1 == len(wanted), kind, number,
                                    tv(14, bits) if bits else b"")
                          for index, (kind, number, bits) in enumerate(wanted))
    return substructure(protocol, len(spi), spi + EVERYTHING * 2 + transforms + attributes)


def group_wide(*values):
    return substructure(0, 0, b"".join(tv(kind, value) for kind, value in values))


def bag(spi, wrap_key, key=KEY, protocol=ESP, key_id=0, wrap_key_id=0):
    wrapped = struct.pack(">II", key_id, wrap_key_id) + aes_key_wrap_with_padding(wrap_key, key)
    return substructure(protocol, len(spi), spi + tlv(1, wrapped))


def member_bag(*sender_ids):
    return substructure(0, 0, b"".join(tlv(3, one) for one in sender_ids))


def shapes(spi, key):
    """{name of a group: (GSA, KD)}; `key` is GSK_w."""
    good_gsa, good_kd = policy(spi, SHARED), bag(spi, key)
    pairwise = policy(spi, [GCM_256, PAIRWISE])
    return {
        "good": (good_gsa, good_kd),
        "no-kd": (good_gsa, None),
        "no-gsa": (None, good_kd),
        "no-key": (good_gsa, bag(b"\0\1\2\3", key)),
        "two-keys": (good_gsa, good_kd + good_kd),
        "short-key": (good_gsa, bag(spi, key, KEY[:48])),
        "long-key": (good_gsa, bag(spi, key, KEY + bytes(8))),
        "another-key-wrap-key": (good_gsa, bag(spi, bytes(32))),
        "key-wrap-key-7": (good_gsa, bag(spi, key, wrap_key_id=7)),
        "key-7": (good_gsa, bag(spi, key, key_id=7)),
        "extended-numbers": (policy(spi, [CBC_256, SHA_256, ESN]), good_kd),
        "no-numbers": (policy(spi, [CBC_256, SHA_256]), good_kd),
        "no-integrity": (policy(spi, [CBC_256, NONE, UNSPECIFIED]), bag(spi, key, KEY[:32])),
        "integrity-twice": (policy(spi, [CBC_256, SHA_256, SHA_256, UNSPECIFIED]), good_kd),
        "implicit-iv": (policy(spi, [IMPLICIT_IV, SEQUENTIAL]), bag(spi, key, KEY[:36])),
        "shared-counter-mode": (policy(spi, [GCM_256, UNSPECIFIED]), bag(spi, key, KEY[:36])),
        "unknown-transform": (policy(spi, SHARED[:2] + [(99, 1, 0), UNSPECIFIED]), good_kd),
        "esp-and-ah": (good_gsa + policy(spi, [SHA_256, UNSPECIFIED], 2),
                       good_kd + bag(spi, key, KEY[:32], 2)),
        "same-spi-twice": (good_gsa + good_gsa, good_kd),
        "reserved-spi": (policy(b"\0\0\0\xff", SHARED), bag(b"\0\0\0\xff", key)),
        "no-policy": (group_wide((1, 5)), good_kd),
        "lifetime-0": (policy(spi, SHARED, attributes=struct.pack(">HHI", 1, 4, 0)), good_kd),
        "delay-twice": (good_gsa + group_wide((1, 5), (1, 6)), good_kd),
        "sender-id-too-large": (pairwise + group_wide((3, 8)),
                                bag(spi, key, KEY[:36]) + member_bag(b"\1\0")),
        "no-sender-id": (pairwise + group_wide((3, 8)), bag(spi, key, KEY[:36])),
        "no-sender-id-bits": (pairwise, bag(spi, key, KEY[:36]) + member_bag(b"\1")),
        "cut-off": (good_gsa[:-1], good_kd),
        "longer-than-it-says": (good_gsa + b"\0", good_kd),
    }


GROUPS = [name for name in shapes(b"\1\1\1\1", bytes(32)) if name != "good"]
# answered by something else than GSA and KD
OTHERS = ["tunnel-mode", "error-and-keys"]
# a group that is answered by one error: {name: notify}
ERRORS = {"unknown": gikev2.INVALID_GROUP_ID, "forbidden": gikev2.AUTHORIZATION_FAILED,
          "full": gikev2.REGISTRATION_FAILED}


def name_of(message):
    return message.bodies(IDG)[0][4:].decode()


class BadKeyServer(KeyServer):
    def __init__(self, lab):
        address = provider_address(lab)
        super().__init__("provider", address, KEY_SERVER, SECRET.encode(), self.register)
        self.address = address
        self.left = {}   # group: notify of its departure
        self.asked = []
        self.spis = {}
        self.mended = set()  # groups that get what is good

    def register(self, ike_sa, message):
        if not message.bodies(IDG):
            return []
        group = name_of(message)
        if message.exchange == GSA_REGISTRATION and message.errors():
            self.left[group] = message.errors()[0]
            return []
        self.asked.append(message)
        if group in ERRORS:
            return [notify(ERRORS[group], bytes(range(200)))]
        spi = self.spis.setdefault(group, struct.pack(">I", 0x51000000 + len(self.spis)))
        good = group in OTHERS or group in self.mended
        gsa, kd = shapes(spi, ike_sa.group_key_wrap_key())["good" if good else group]
        payloads = [(GSA, gsa)] if gsa else []
        payloads += [(KD, kd)] if kd else []
        if group == "error-and-keys":
            payloads.append(notify(gikev2.AUTHORIZATION_FAILED))
        if group != "tunnel-mode":
            payloads.append(notify(gikev2.USE_TRANSPORT_MODE))
        return payloads + [notify(gikev2.GROUP_IDENTIFIER, spi)]


def provider_address(lab):
    """Of the provider, on the link to the site: the other one of its /24."""
    lines = lab.run("provider", "ip", "-4", "-o", "addr", "show").splitlines()
    prefix = str(lab.topology.nodes[SITE].address).rsplit(".", 1)[0] + "."
    return next(word.split("/")[0] for line in lines for word in line.split()
                if word.startswith(prefix))


def connect(lab, key_server):
    path = os.path.join(os.environ["LAB_RUN"], SITE, "etc/swanctl/swanctl.conf")
    with open(path, "a", encoding="ascii") as file:
        file.write(f"""connections {{
  bad {{
    version = 2
    local_addrs = {lab.topology.nodes[SITE].address}
    remote_addrs = {key_server.address}
    proposals = aes256gcm16-prfsha256-ecp256-kw5649_256
    childless = force
    mobike = no
    local {{
      auth = psk
      id = {IDENTITY}
    }}
    remote {{
      auth = psk
      id = {KEY_SERVER}
    }}
  }}
}}
secrets {{
  ike-bad {{
    id-0 = {IDENTITY}
    id-1 = {KEY_SERVER}
    secret = {SECRET}
  }}
}}
""")
    lab.run(SITE, "swanctl", "--load-all", "--noprompt")


def join(lab, group, *lines):
    lab.configure(SITE, f"gsa member {group}", *lines, "key-server connection bad",
                  f"local-gateway {lab.topology.nodes[SITE].address}")


def leave(lab, groups):
    for group in groups:
        lab.configure(SITE, f"no gsa member {group}")


def spis(lab):
    return {state["spi"] for state in lab.states(SITE)}


@case("a policy or a key that is not as it must be is not taken; the key server is told")
def not_acceptable(lab):
    groups = ["good", *GROUPS, *OTHERS]
    with BadKeyServer(lab) as key_server:
        connect(lab, key_server)
        for group in groups:
            join(lab, group)
        expected = set(GROUPS) | {"tunnel-mode"}
        key_server.serve(lambda: set(key_server.left) >= expected
                         and len(key_server.spis) == len(groups), STEP_S,
                         "the member has asked for all groups and left the bad ones")
        check(set(key_server.left) == expected,
              f"left, but should not: {set(key_server.left) - expected}")
        unacceptable = {"tunnel-mode", "implicit-iv", "shared-counter-mode"}
        for group, error in key_server.left.items():
            check(error in (gikev2.NO_PROPOSAL_CHOSEN, gikev2.REGISTRATION_FAILED),
                  f"{group}: notify {error}")
            check(group not in unacceptable or error == gikev2.NO_PROPOSAL_CHOSEN,
                  f"{group}: notify {error}")
        key_server.serve(lambda: lab.member(SITE, "good", "registered"), STEP_S,
                         "the good group is registered")
        for group in groups[1:]:
            check(not lab.member(SITE, group, "registered"), f"{group} is registered")
        known = {int.from_bytes(spi, "big"): group for group, spi in key_server.spis.items()}
        found = {known[spi] for spi in spis(lab) if spi in known}
        check(found <= {"good"}, f"the kernel holds states of {found}")
        leave(lab, groups)
        key_server.serve(lambda: "bad:" not in lab.run(SITE, "swanctl", "--list-sas"), STEP_S,
                         "the IKE_SA is closed")


@case("the same in GSA_AUTH: nothing of it before the key server is authentic, errors leave the IKE_SA")
def opened(lab):
    with BadKeyServer(lab) as key_server:
        join(lab, "short-key", "initial-exchange gsa-auth")
        key_server.serve(lambda: "short-key" in key_server.left, STEP_S, "the member has left")
        first = key_server.asked[0]
        check(first.exchange == GSA_AUTH and AUTH in first.kinds() and SA in first.kinds(),
              f"exchange {first.exchange}: {first.kinds()}")
        # RFC 9838 §2.3.1: a member that is to send says so
        check(first.notifies().get(gikev2.GROUP_SENDER) == struct.pack(">I", 1),
              f"notifies {first.notifies()}")
        leave(lab, ["short-key"])
        key_server.serve(lambda: "bad:" not in lab.run(SITE, "swanctl", "--list-sas"), STEP_S,
                         "the IKE_SA is closed")
    with BadKeyServer(lab) as key_server:
        key_server.authentication = forged
        join(lab, "good", "initial-exchange gsa-auth")
        key_server.serve(lambda: key_server.asked, STEP_S, "the member has asked")
        key_server.serve(lambda: lab.log_lines(SITE, "charon", "authentication failed"), STEP_S,
                         "the member does not believe who it is")
        spi = int.from_bytes(key_server.spis["good"], "big")
        check(not lab.member(SITE, "good", "registered") and spi not in spis(lab),
              "it took keys from somebody who has not authenticated")
        leave(lab, ["good"])


def check_request(message, group):
    """IDg, SAg and GROUP_SENDER as RFC 9838 §2.3.3, §4.2, §4.3 and §4.7.4 draw them, one each."""
    check(message.bodies(IDG) == [identification(ID_KEY_ID, group)], f"IDg {message.bodies(IDG)}")
    check(message.kinds().count(SA) == 1, f"payloads {message.kinds()}")
    gikev2.check_supported(message.bodies(SA)[0])
    sender = struct.pack(">BBHI", 0, 0, gikev2.GROUP_SENDER, 1)
    check([body for body in message.bodies(NOTIFY) if body[2:4] == sender[2:4]] == [sender],
          f"notifies {message.bodies(NOTIFY)}")
    check(not {GSA, KD} & set(message.kinds()), f"payloads {message.kinds()}")


@case("what a member asks with: key wrap algorithms in IKE_SA_INIT; IDg, SAg and GROUP_SENDER")
def requests(lab):
    for exchange, lines in ((GSA_REGISTRATION, ()), (GSA_AUTH, ("initial-exchange gsa-auth",))):
        with BadKeyServer(lab) as key_server:
            join(lab, "good", *lines)
            key_server.serve(lambda: lab.member(SITE, "good", "registered"), STEP_S,
                             "the member is registered")
            request = key_server.asked[0]
            check(request.exchange == exchange, f"exchange {request.exchange}")
            check_request(request, "good")
            for ike_sa in key_server.ike_sas.values():
                init = ike_sa.decrypt(ike_sa.init_request)
                for _, protocol, spi, transforms in gikev2.proposals_of(init.bodies(SA)[0]):
                    check((protocol, spi) == (1, b"") and any(
                        kind == gikev2.KWA for kind, _, _ in transforms), f"{transforms}")
            leave(lab, ["good"])
            key_server.serve(lambda: "good" in key_server.left, STEP_S, "the member has left")
            check(key_server.left["good"] == gikev2.REGISTRATION_FAILED, f"{key_server.left}")
            key_server.serve(lambda: "bad:" not in lab.run(SITE, "swanctl", "--list-sas"), STEP_S,
                             "the IKE_SA is closed")


@case("a key server that chooses no key wrap algorithm in IKE_SA_INIT is not gone on with")
def no_key_wrap(lab):
    with BadKeyServer(lab) as key_server:
        key_server.choose = without_key_wrap
        join(lab, "good", "retry-time 2")
        key_server.serve(lambda: len(key_server.ike_sas) > 1, STEP_S, "the member tries again")
        check(not key_server.requests, f"{[one.kinds() for one in key_server.requests]}")
        check(not lab.member(SITE, "good", "registered"), "the member is registered")
        leave(lab, ["good"])


@case("a Sender-ID that does not fit its bits is fatal: the member leaves, and registers again")
def unfit_sender_id(lab):
    group = "sender-id-too-large"
    with BadKeyServer(lab) as key_server:
        join(lab, group, "retry-time 2")
        key_server.serve(lambda: group in key_server.left and len(key_server.asked) > 1, STEP_S,
                         "the member has left and asks again")
        check(key_server.left[group] == gikev2.REGISTRATION_FAILED, f"{key_server.left}")
        check(not lab.member(SITE, group, "registered"), "the member is registered")
        key_server.mended.add(group)
        key_server.serve(lambda: lab.member(SITE, group, "registered"), STEP_S,
                         "the member is registered once that is mended")
        leave(lab, [group])
        key_server.serve(lambda: "bad:" not in lab.run(SITE, "swanctl", "--list-sas"), STEP_S,
                         "the IKE_SA is closed")


def forged(_ike_sa):
    return [(IDR, identification(ID_FQDN, KEY_SERVER)),
            (AUTH, bytes([2, 0, 0, 0]) + secrets.token_bytes(32))]


@case("an error notify is one whatever data it brings; the member asks again later")
def error_with_data(lab):
    with BadKeyServer(lab) as key_server:
        for group in ERRORS:
            join(lab, group, "retry-time 2")
        key_server.serve(lambda: all(lab.member(SITE, group, "refused") for group in ERRORS), STEP_S,
                         "the member is refused")
        for group, name in (("unknown", "INVALID_GROUP_ID"), ("forbidden", "AUTHORIZATION_FAILED"),
                            ("full", "REGISTRATION_FAILED")):
            state = lab.member(SITE, group, "refused")
            check(name in str(state), f"{group}: {state}")
        asked = len(key_server.asked)
        key_server.serve(lambda: len(key_server.asked) >= asked + len(ERRORS), STEP_S,
                         "the member asks again")
        leave(lab, ERRORS)
        key_server.serve(lambda: "bad:" not in lab.run(SITE, "swanctl", "--list-sas"), STEP_S,
                         "the IKE_SA is closed")


@case("a connection that takes anybody for the key server is warned of, others are not")
def nameless(lab):
    path = os.path.join(os.environ["LAB_RUN"], SITE, "etc/swanctl/swanctl.conf")
    with open(path, encoding="ascii") as file:
        text = file.read()
    with open(path, "a", encoding="ascii") as file:
        file.write(text[text.index("connections {\n  bad {"):].split("secrets {")[0]
                   .replace("  bad {", "  nameless {").replace(f"      id = {KEY_SERVER}\n", ""))
    lab.run(SITE, "swanctl", "--load-conns")
    lab.configure(SITE, "gsa member nameless", "key-server connection nameless",
                  f"local-gateway {lab.topology.nodes[SITE].address}")
    await_log(lab, SITE, "charon", "connection nameless", "remote.id")
    leave(lab, ["nameless"])
    check(not lab.log_lines(SITE, "charon", "connection bad", "remote.id"), "a named one, too")


@case("the member's other groups did not notice")
def others(lab):
    wait_until(lambda: lab.member(SITE, "red", "registered"), STEP_S, "red is registered")


if __name__ == "__main__":
    main()
