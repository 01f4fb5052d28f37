# SPDX-License-Identifier: GPL-2.0-or-later
"""Stand-ins for what charon's plugin talks to: gcksd of the S/R, gcksd of a site, a member of
another make. They are served in turn by the one program that a test is; each waits with the others.
"""

import contextlib
import os
import secrets
import struct
import time

import gikev2
from harness import check
from ikev2 import GSA_REGISTRATION, ID_KEY_ID, IDG, KD, Initiator, identification, notify
from local_protocol import VALUES, Gcksd
from observe import converged

PROBE, KEY_SERVER, SECRET = "probe.red.example", "sr.red.example", secrets.token_hex(24)
NODE = "site2"      # of the probe
GSA_INBAND_REKEY = 42
RED, BLUE, IDENTIFIERS = "red", "blue", {"red": 200, "blue": 100}
GCM, CBC, SHA256 = 20, 12, 12
UNSPECIFIED, PAIRWISE = 2, 0xf001
REGISTERED, REFUSED, EXCLUDED, LOST = (
    VALUES[f"MEMBERSHIP_{name}"] for name in ("REGISTERED", "REFUSED", "EXCLUDED", "LOST"))
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


class Member(Gcksd):
    """A site's: joins groups."""

    def __init__(self, lab, node, server):
        super().__init__(lab, node)
        self.server = server
        self.accept()
        self.sync_done()

    def join(self, group=RED, connections=(), **fields):
        self.send("join", **{"group": group, "connection": connections or [group], "sender": True,
                             "retry_s": 2, **fields})

    def leave(self, group=RED):
        """When this returns, charon has taken it in."""
        self.send("leave", group=group)
        self.settle()

    def settle(self):
        """All that was sent before is handled: requests are, in their order."""
        number = self.request()
        self.send("remove_sa", id=number, spi=256, source=bytes(4),
                  destination=bytes([192, 0, 2, 1]))
        self.await_message("installed", lambda installed: installed["id"] == number)

    def await_membership(self, state, condition=lambda membership: True, after=0, group=RED):
        """The first one since `after` that is in the state and meets the condition."""
        return self.await_message(
            "membership", lambda body: body["group"] == group and body["state"] == state
            and condition(body), after, self.server.drain)

    def await_spis(self, spis, after=0, group=RED):
        """A membership that holds SAs of just these SPIs."""
        return self.await_membership(
            REGISTERED, lambda body: spis_of(body) == list(spis), after, group)


def spis_of(membership):
    return [sa["spi"] for sa in (membership["group_sa"] or {"data_sa": []})["data_sa"]]


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


def key_server(lab):
    """In the place of the S/R's gcksd; made once."""
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
    return lab.key_server


@contextlib.contextmanager
def registered(lab, *groups):
    """The probe, registered with groups."""
    server = key_server(lab)
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


