#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: two-groups
#
# charon's plugin between what it talks to: the test stands for gcksd of the S/R and of site3, and for
# a member of another make. Only the charons are real; what passes between them is GSA_INBAND_REKEY.
"""Rekeys in band: what the key server sends, what the member takes, and what both tell gcksd."""

import contextlib
import os
import secrets
import struct
import time

import gikev2
from harness import case, check, main, wait_until
from ikev2 import (DELETE, GSA, GSA_REGISTRATION, ID_FQDN, ID_KEY_ID, IDG, KD, NOTIFY, Initiator,
                   identification, notify)
from local_protocol import VALUES, Gcksd
from observe import converged

PROBE, KEY_SERVER, SECRET = "probe.red.example", "sr.red.example", secrets.token_hex(24)
NODE = "site2"
GSA_INBAND_REKEY = 42
RED, BLUE, IDENTIFIERS = "red", "blue", {"red": 200, "blue": 100}
GCM, CBC, SHA256 = 20, 12, 12
UNSPECIFIED, PAIRWISE = 2, 0xf001
REGISTERED, EXCLUDED, LOST = (VALUES[f"MEMBERSHIP_{name}"]
                              for name in ("REGISTERED", "EXCLUDED", "LOST"))
STEP_S = 60


class Sas:
    """A group's SAs, as the test makes them."""

    def __init__(self, group, pairwise=False):
        self.group, self.pairwise, self.made = group, pairwise, []
        self.sender_ids = 0

    def new(self):
        key = os.urandom(36 if self.pairwise else 64)
        spi = struct.unpack(">I", os.urandom(4))[0] | 0x40000000
        sa = {"spi": spi & ~0xffff if self.pairwise else spi,
              "encryption": GCM if self.pairwise else CBC, "encryption_key_bits": 256,
              "integrity": 0 if self.pairwise else SHA256,
              "sequence_numbers": PAIRWISE if self.pairwise else UNSPECIFIED,
              "key": key, "lifetime_s": 3600}
        self.made.append(sa)
        return sa

    def group_sa(self, sas, *, registration=False, **fields):
        found = {"data_sa": sas, "group": IDENTIFIERS[self.group], **fields}
        if registration and self.pairwise:
            found |= {"sender_id_bits": 16, "sender_id": [self.sender_ids]}
            self.sender_ids += 1
        return found


class KeyServer(Gcksd):
    """The S/R's: grants what is asked for."""

    def __init__(self, lab):
        super().__init__(lab, "sr")
        self.sas = {RED: Sas(RED, pairwise=True), BLUE: Sas(BLUE)}
        for sas in self.sas.values():
            sas.new()
        self.verdict = {}  # group: error notify
        self.handlers["registration_request"] = self.answer

    def answer(self, request):
        group = request["group_id"].decode()
        reply = {"request": request["request"]}
        if group in self.verdict:
            reply |= {"notify": self.verdict[group], "reason": "the test says so"}
        else:
            sas = self.sas[group]
            reply["group_sa"] = sas.group_sa(sas.made[-1:], registration=True,
                                             deactivation_delay_s=10)
        self.send("registration_reply", **reply)

    def ike_sa_of(self, identity, group=RED):
        """The newest of the IKE_SAs that a member registered over."""
        found = [request["peer"]["ike_sa"] for request in self.bodies("registration_request")
                 if request["peer"]["identity"] == identity
                 and request["group_id"].decode() == group]
        check(found, f"{identity} never asked for {group}")
        return found[-1]

    def rekey(self, ike_sa, group=RED, **fields):
        """The request's number."""
        number = self.request()
        self.send("rekey", request=number, ike_sa=ike_sa, group=IDENTIFIERS[group],
                  group_name=group, **fields)
        return number

    def done(self, number, turn=lambda: None):
        """RekeyDone, which must be the only one."""
        self.await_message("rekey_done", lambda done: done["request"] == number, turn=turn)
        found = self.bodies("rekey_done", lambda done: done["request"] == number)
        check(len(found) == 1, f"RekeyDone for {number}: {found}")
        return found[0]


class Probe(Initiator):
    """A member in Python, served in turn with the gcksds of the test."""

    def __init__(self, lab, *gcksds):
        super().__init__(NODE, str(lab.topology.nodes[NODE].address),
                         str(lab.topology.key_server.address))
        self.gcksds, self.answer = gcksds, []

    def answer_to(self, request):
        return self.answer if request.exchange == GSA_INBAND_REKEY else []

    def receive(self, deadline):
        while True:
            for gcksd in self.gcksds:
                gcksd.drain()
            message = super().receive(min(deadline, time.monotonic() + 0.05))
            if message or time.monotonic() >= deadline:
                return message

    def turn(self):
        self.receive(time.monotonic() + 0.05)

    def rekeys(self):
        """One of each Message ID."""
        found = {request.message_id: request for request in self.requests
                 if request.exchange == GSA_INBAND_REKEY}
        return list(found.values())


def grown(lab):
    """The two gcksds of the test, connected; made once."""
    if not hasattr(lab, "key_server"):
        converged(lab)
        path = os.path.join(os.environ["LAB_RUN"], "sr/etc/swanctl/swanctl.conf")
        with open(path, "a", encoding="ascii") as file:
            file.write(f"secrets {{\n  ike-probe {{\n    id-0 = {PROBE}\n"
                       f"    secret = {SECRET}\n  }}\n}}\n")
        lab.run("sr", "swanctl", "--load-creds", "--noprompt")
        lab.key_server = KeyServer(lab)
        lab.key_server.accept()
        lab.key_server.sync_done()
        lab.member3 = Gcksd(lab, "site3")
        lab.member3.accept()
    return lab.key_server


@contextlib.contextmanager
def registered(lab, *groups):
    """The probe, registered with groups."""
    server = grown(lab)
    with Probe(lab, server).establish(PROBE, KEY_SERVER, SECRET) as ike_sa:
        for group in groups or [RED]:
            register(ike_sa, group)
        yield server, ike_sa


def register(ike_sa, group, *more):
    answer = ike_sa.request(GSA_REGISTRATION, [
        (IDG, identification(ID_KEY_ID, group)),
        notify(gikev2.GROUP_SENDER, struct.pack(">I", 1)), *more])
    check(answer.bodies(KD), f"{group} is not granted: {answer.kinds()}, {answer.errors()}")
    return answer


def content(ike_sa, request):
    """(SPIs with keys, group-wide attributes, Deletes, notifies, IDg) of a rekey, decoded strictly."""
    data_sas, group_wide, keys = [], None, {}
    check(request.kinds().count(GSA) == request.kinds().count(KD) <= 1,
          f"payloads {request.kinds()}")
    if GSA in request.kinds():
        data_sas, group_wide = gikev2.policy(request.bodies(GSA)[0])
        keys, member = gikev2.key_download(request.bodies(KD)[0], ike_sa.group_key_wrap_key())
        check(member is None, f"a rekey has a member key bag: {member}")
        check([spi for spi, _, _ in data_sas] == list(keys), f"{data_sas} and keys of {list(keys)}")
    deletes = {body[0]: body[1:] for body in request.bodies(DELETE)}
    return data_sas, keys, dict(group_wide or []), deletes


@case("a rekey is an exchange 42 with GSA and KD as the RFC draws them; its answer is told once")
def layout(lab):
    with registered(lab) as (server, ike_sa):
        sas = server.sas[RED]
        new = sas.new()
        number = server.rekey(server.ike_sa_of(PROBE), group_sa=sas.group_sa(
            [new], activation_delay_s=5, deactivation_delay_s=10))
        done = server.done(number, ike_sa.turn)
        check(done["ok"] and not done["text"], f"{done}")
        check(len(ike_sa.rekeys()) == 1, f"{len(ike_sa.rekeys())} rekeys")
        request = ike_sa.rekeys()[0]
        data_sas, keys, group_wide, deletes = content(ike_sa, request)
        check(keys == {new["spi"]: new["key"]}, "not the key that gcksd gave")
        check(data_sas[0][1] == {gikev2.ENCR: (GCM, [(14, 256)]), gikev2.SN: (PAIRWISE, [])},
              f"transforms {data_sas[0][1]}")
        # activation and deactivation delay; the Sender-ID bits are barred (RFC 9838 §5)
        check(group_wide == {1: 5, 2: 10} and not deletes, f"{group_wide}, {deletes}")
        check(request.notifies() == {gikev2.USE_TRANSPORT_MODE: b"",
                                     gikev2.GROUP_IDENTIFIER: struct.pack(">I", 200)},
              f"notifies {request.notifies()}")
        check(IDG not in request.kinds(), "IDg over an IKE_SA of one group")


if __name__ == "__main__":
    main()
