# SPDX-License-Identifier: GPL-2.0-or-later
"""site3's charon between a gcksd and a key server that are both the test's own."""

import os
import re

from harness import check
from ikev2 import NOTIFY
from key_server import KeyServer, granted, key_download, policy, tlv, tv
from standins import GSA_INBAND_REKEY, REGISTERED, STEP_S, Member, spis_of

SITE, SERVER_IDENTITY, IDENTITY = "site3", "sr.red.example", "site3.red.example"
FIRST = 0x60010000
SENDER_ID = tlv(3, bytes([0, 5]))


class Nobody:
    """The member needs no other gcksd to be served."""

    def drain(self):
        pass


class Pair:
    """The member, and its key server: `server` is the key server's end of their IKE_SA."""

    def __init__(self, lab):
        lab.kill("sr", "charon")
        self.key = os.urandom(36)
        self.member = Member(lab, SITE, Nobody())
        self.key_server = KeyServer("sr", str(lab.topology.key_server.address), SERVER_IDENTITY,
                                    secret_of(lab), self.grant, self.member.drain)
        self.establish()

    def establish(self):
        after = len(self.member.received)
        self.member.join()
        self.server = self.key_server.establish()
        self.wait(lambda: self.held(after) == [FIRST], "the registration")

    def grant(self, ike_sa, _request):
        return granted(policy(FIRST, group_wide=tv(3, 16) + tv(2, 10)),
                       key_download({FIRST: self.key}, ike_sa.group_key_wrap_key(),
                                    member=SENDER_ID))

    def wait(self, condition, what):
        self.key_server.serve(condition, STEP_S, what)

    def held(self, after=0):
        """SPIs of the last membership that says."""
        found = [spis_of(body) for name, body in self.member.received[after:]
                 if name == "membership" and body["state"] == REGISTERED]
        return found[-1] if found else None

    def ask(self, payloads):
        """The answer's error notifies to a GSA_INBAND_REKEY."""
        answer = self.server.request(GSA_INBAND_REKEY, payloads)
        check(all(kind == NOTIFY for kind in answer.kinds()), f"payloads {answer.kinds()}")
        return answer.errors()


def secret_of(lab):
    path = os.path.join(os.environ["LAB_RUN"], SITE, "etc/swanctl/swanctl.conf")
    with open(path, encoding="ascii") as file:
        text = file.read()
    for block in re.findall(r"(?s)ike-\S+ \{(.*?)\}", text):
        if IDENTITY in block:
            return re.search(r"secret = \"?([^\"\s]+)", block).group(1).encode()
    check(False, f"no secret of {IDENTITY}")
    return None
