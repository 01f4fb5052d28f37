# SPDX-License-Identifier: GPL-2.0-or-later
"""Members in Python, of groups with pre-shared keys: they register, take rekeys, and keep every
key they were ever given, which no proper member would.
"""

import os
import secrets
import struct
import time
from dataclasses import dataclass, field

import gikev2
from harness import check
from ikev2 import (DELETE, GSA, GSA_REGISTRATION, ID_KEY_ID, IDG, KD, Initiator, identification,
                   notify, prf_plus)
from topology import esp

GSA_INBAND_REKEY = 42
GM_SENDER_ID = 3
GWP_ACTIVATION, GWP_DEACTIVATION, GWP_SENDER_ID_BITS = 1, 2, 3
PAIRWISE = 0xf001
ENCRYPTION = {12: (esp.AES_CBC, 0), 20: (esp.AES_GCM, esp.SALT),
              28: (esp.CHACHA20_POLY1305, esp.SALT)}


@dataclass
class DataSa:
    """One Data-Security SA as it was received; with `pairwise` the key is a TEK."""
    spi: int
    algorithm: str
    encryption_octets: int
    pairwise: bool
    key: bytes = field(default=b"", repr=False)
    bits: int = 0

    def group_keys(self):
        return esp.Keys(self.spi, self.algorithm, self.key[:self.encryption_octets],
                        self.key[self.encryption_octets:])

    def pair_keys(self, group, sender, receiver):
        """libgsa/pairwise.h"""
        spi = self.spi | sender
        seed = b"frr-gsa pair" + struct.pack(">IIII", group, spi, sender, receiver)
        key = prf_plus(self.key, seed, len(self.key))
        return esp.Keys(spi, self.algorithm, key[:self.encryption_octets],
                        key[self.encryption_octets:])


def data_sas(ike_sa, payloads):
    """(DataSas, group-wide attributes, Sender-IDs) of a message with GSA and KD."""
    policies, group_wide = gikev2.policy(payloads.bodies(GSA)[0])
    keys, member = gikev2.key_download(payloads.bodies(KD)[0], ike_sa.group_key_wrap_key())
    group_wide = dict(group_wide or [])
    found = []
    for spi, transforms, _ in policies:
        number, attributes = transforms[gikev2.ENCR]
        algorithm, salt = ENCRYPTION[number]
        octets = dict(attributes).get(14, 256) // 8 + salt
        found.append(DataSa(spi, algorithm, octets, transforms[gikev2.SN][0] == PAIRWISE,
                            keys[spi], group_wide.get(GWP_SENDER_ID_BITS, 0)))
    sender_ids = [int.from_bytes(value, "big") for kind, value in member or []
                  if kind == GM_SENDER_ID]
    return found, group_wide, sender_ids


def admit(lab, group, identities):
    """The S/R knows a secret of each of these identities, and returns it; they are permitted if
    the group's policy says so."""
    secret = secrets.token_hex(24)
    ids = "".join(f"    id-{number} = {identity}\n" for number, identity in enumerate(identities))
    path = os.path.join(os.environ["LAB_RUN"], lab.topology.key_server.name,
                        "etc/swanctl/swanctl.conf")
    with open(path, "a", encoding="ascii") as file:
        file.write(f"secrets {{\n  ike-{group}-{secrets.token_hex(4)} {{\n{ids}"
                   f"    secret = {secret}\n  }}\n}}\n")
    lab.run(lab.topology.key_server.name, "swanctl", "--load-creds", "--noprompt")
    return secret


@dataclass
class PythonMember:
    lab: object
    node: str           # where it sends from
    group: str
    identity: str
    secret: str = field(repr=False)
    sas: list = field(default_factory=list)        # all ever received, oldest first
    sender_ids: list = field(default_factory=list)
    group_wide: dict = field(default_factory=dict)
    ike_sa: Initiator = None
    taken: int = 0      # of the key server's requests

    def __enter__(self):
        topology = self.lab.topology
        self.ike_sa = Initiator(self.node, str(topology.nodes[self.node].address),
                                str(topology.key_server.address))
        self.ike_sa.establish(self.identity, f"{topology.key_server.name}.{self.group}.example",
                              self.secret)
        return self

    def __exit__(self, *arguments):
        self.ike_sa.__exit__(*arguments)

    @property
    def identifier(self):
        return self.lab.topology.groups[self.group].identifier

    @property
    def idg(self):
        return IDG, identification(ID_KEY_ID, self.group)

    def register(self, *payloads, sender=True):
        more = [notify(gikev2.GROUP_SENDER, struct.pack(">I", 1))] if sender else []
        answer = self.ike_sa.request(GSA_REGISTRATION, [self.idg, *more, *payloads])
        check(answer.bodies(KD), f"{self.identity}: payloads {answer.kinds()}, "
              f"errors {answer.errors()}")
        self.keep(answer)
        return answer

    def leave(self):
        return self.ike_sa.request(GSA_REGISTRATION,
                                   [self.idg, notify(gikev2.REGISTRATION_FAILED)])

    def send_leave(self):
        """Without waiting for the answer."""
        self.ike_sa.send_request(GSA_REGISTRATION,
                                 [self.idg, notify(gikev2.REGISTRATION_FAILED)])
        self.ike_sa.message_id += 1

    def keep(self, message):
        found, self.group_wide, sender_ids = data_sas(self.ike_sa, message)
        self.sender_ids += sender_ids
        self.sas += [sa for sa in found if sa.spi not in {held.spi for held in self.sas}]

    def take_rekeys(self):
        """Those that have come; all of the key server's requests are answered here."""
        while self.ike_sa.receive(time.monotonic() + 0.001):
            pass
        for request in self.ike_sa.requests[self.taken:]:
            if request.exchange == GSA_INBAND_REKEY and request.bodies(KD):
                self.keep(request)
        self.taken = len(self.ike_sa.requests)

    def deleted(self):
        """Whether the key server has put it out."""
        return self.ike_sa.closed or any(request.bodies(DELETE) for request in self.ike_sa.requests
                                         if request.exchange == GSA_INBAND_REKEY)

    def every_key(self, highest_sender_id):
        """All that it can read, or work out: the keys of the group, or of every pair."""
        for sa in self.sas:
            if not sa.pairwise:
                yield sa.group_keys()
                continue
            for sender in range(highest_sender_id + 1):
                for receiver in range(highest_sender_id + 1):
                    if sender != receiver:
                        yield sa.pair_keys(self.identifier, sender, receiver)


def opened_by(packets, keys):
    """The packets that any of the keys opens; the SPI does not matter to who tries."""
    keys = list(keys)
    return [packet for packet in packets if any(esp.opened(packet, each) for each in keys)]
