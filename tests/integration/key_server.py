# SPDX-License-Identifier: GPL-2.0-or-later
"""A key server in Python for any number of IKE_SAs and groups, which lets members in (childless
IKE_AUTH or GSA_AUTH with a pre-shared key), answers what a test wants answered, and begins
exchanges of its own. It takes the one proposal that the lab's members send.
"""

import os
import select
import socket
import struct
import time

from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding

import gikev2
from harness import check
from ikev2 import (AUTH, CHILDLESS_SUPPORTED, FRAGMENTATION_SUPPORTED, GSA, GSA_AUTH,
                   GSA_REGISTRATION, IDI, IDR, ID_FQDN, IKE_AUTH, IKE_SA_INIT, KD, KE, NONCE,
                   RESPONSE, SA, IkeSa, identification, new_key, notify, prf)
from topology import namespaces

AUTHENTICATION_FAILED = 24
ESP = 3
ESTABLISH_S = 60


class MemberIkeSa(IkeSa):
    """Of one member."""

    def __init__(self, server, spi_i, address):
        super().__init__(spi_i, os.urandom(8), 0, (3,))
        self.server, self.address, self.key_wrap_algorithm = server, address, 3
        self.authentic = False

    def send(self, packet):
        self.server.socket.sendto(packet, self.address)

    def receive(self, deadline):
        return self.server.receive(self, deadline)

    def rekey(self):
        new = super().rekey()
        self.server.ike_sas[new.spi_i] = new
        return new

    def answer_init(self, packet):
        request = self.decrypt(packet)
        self.init_request, self.peer_nonce = packet, request.bodies(NONCE)[0]
        private, public = new_key()
        self.init_answer = self.clear(IKE_SA_INIT, [
            (SA, self.server.choose(request.bodies(SA)[0])),
            (KE, struct.pack(">HH", 19, 0) + public),
            (NONCE, self.nonce), notify(CHILDLESS_SUPPORTED),
            notify(FRAGMENTATION_SUPPORTED)], RESPONSE, 0)
        self.derive(private, request.bodies(KE)[0][4:])

    def answer_to(self, request):
        self.server.requests.append(request)
        payloads = []
        if request.exchange in (IKE_AUTH, GSA_AUTH):
            self.authentic = self.server.is_authentic(self, request)
            payloads = self.server.authentication(self)
        if not self.authentic:
            return [notify(AUTHENTICATION_FAILED)]
        if request.exchange in (GSA_AUTH, GSA_REGISTRATION):
            granted_now = self.server.answer(self, request)
            return None if granted_now is None else payloads + granted_now
        return payloads


class KeyServer:
    """
    answer  answer(ike_sa, request) gives the payloads that answer a registration; None: it is not
    turn    is called now and then while it waits
    """

    def __init__(self, node, address, identity, secret, answer, turn=lambda: None):
        with namespaces.inside(node):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, 500))
        self.identity, self.secret, self.answer, self.turn = identity, secret, answer, turn
        self.choose = lambda proposal: proposal
        self.ike_sas = {}
        self.requests = []   # of all IKE_SAs

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def receive(self, ike_sa, deadline):
        """The next answer over an IKE_SA (None: over whichever); requests of all are answered."""
        while True:
            self.turn()
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            if not select.select([self.socket], [], [], min(left, 0.05))[0]:
                continue
            packet, address = self.socket.recvfrom(65536)
            found = self.of(packet, address)
            message = found.decrypt(packet) if found else None
            if message and not message.flags & RESPONSE:
                found.take_request(message)
            elif message and ike_sa in (found, None):
                return message

    def of(self, packet, address):
        """The IKE_SA of a packet that goes on with one; what begins one is answered here."""
        if len(packet) < 28:
            return None
        found = self.ike_sas.get(packet[:8])
        if packet[18] != IKE_SA_INIT:
            return found
        if not found:
            found = self.ike_sas[packet[:8]] = MemberIkeSa(self, packet[:8], address)
            found.answer_init(packet)
        found.send(found.init_answer)
        return None

    def serve(self, condition, deadline_s, text):
        """Answers until a condition holds."""
        deadline = time.monotonic() + deadline_s
        while not condition():
            check(time.monotonic() < deadline, lambda: f"not within {deadline_s} s: {text}; "
                  + str([(one.exchange, one.kinds(), one.errors()) for one in self.requests]))
            self.receive(None, time.monotonic() + 0.1)

    def establish(self):
        """Waits for a member and lets it in."""
        before = set(self.ike_sas)
        def new():
            return [ike_sa for spi, ike_sa in self.ike_sas.items()
                    if spi not in before and ike_sa.authentic]
        self.serve(new, ESTABLISH_S, "a member authenticates")
        return new()[0]

    def code(self, octets):
        return bytes([2, 0, 0, 0]) + prf(prf(self.secret, b"Key Pad for IKEv2"), octets)

    def is_authentic(self, ike_sa, message):
        """Members of other key servers come here too, and know another secret."""
        octets = ike_sa.init_request + ike_sa.nonce + prf(ike_sa.keys["pr"],
                                                          message.bodies(IDI)[0])
        return message.bodies(AUTH)[0] == self.code(octets)

    def authentication(self, ike_sa):
        own = identification(ID_FQDN, self.identity)
        octets = ike_sa.init_answer + ike_sa.peer_nonce + prf(ike_sa.keys["pi"], own)
        return [(IDR, own), (AUTH, self.code(octets))]


# what it grants

def tv(kind, value):
    return struct.pack(">HH", 0x8000 | kind, value)


def tlv(kind, value):
    return struct.pack(">HH", kind, len(value)) + value


def substructure(protocol, second, content):
    return struct.pack(">BBH", protocol, second, 4 + len(content)) + content


def transform(last, kind, number, attributes=b""):
    return struct.pack(">BBHBBH", 0 if last else 3, 0, 8 + len(attributes), kind, 0,
                       number) + attributes


def policy(*spis, encryption=20, bits=256, sequence_numbers=0xf001, group_wide=b""):
    """GSA of AEAD SAs without lifetime, as RFC 9838 draws it."""
    body = b"".join(substructure(ESP, 4, struct.pack(">I", spi) + gikev2.EVERYTHING * 2
                                 + transform(False, 1, encryption, tv(14, bits))
                                 + transform(True, 5, sequence_numbers)) for spi in spis)
    return body + (substructure(0, 0, group_wide) if group_wide else b"")


def key_download(keys, key_wrap_key, *, member=b""):
    """KD of {SPI: key}."""
    body = b"".join(substructure(ESP, 4, struct.pack(">I", spi) + tlv(
        1, bytes(8) + aes_key_wrap_with_padding(key_wrap_key, key))) for spi, key in keys.items())
    return body + (substructure(0, 0, member) if member else b"")


def without_key_wrap(body):
    """The one proposal of an IKE_SA, less its key wrap algorithm."""
    ((number, protocol, _, wanted),) = gikev2.proposals_of(body)
    wanted = [each for each in wanted if each[0] != gikev2.KWA]
    joined = b"".join(transform(index + 1 == len(wanted), kind, identifier, b"".join(
        tv(*attribute) for attribute in attributes))
        for index, (kind, identifier, attributes) in enumerate(wanted))
    return struct.pack(">BBHBBBB", 0, 0, 8 + len(joined), number, protocol, 0,
                       len(wanted)) + joined


def granted(body, keys):
    """Payloads of a granted registration, and of a rekey."""
    return [(GSA, body), (KD, keys), notify(gikev2.USE_TRANSPORT_MODE)]
