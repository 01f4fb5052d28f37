# SPDX-License-Identifier: GPL-2.0-or-later
"""A key server in Python: the other end of an IKE_SA that a member's charon brings up (childless,
pre-shared key), which grants registrations and then sends whatever a test wants to see refused.
It takes the S/R's place, whose charon is stopped.
"""

import os
import select
import socket
import struct
import time

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding

import gikev2
from harness import check
from ikev2 import (AUTH, CHILDLESS_SUPPORTED, GSA, GSA_REGISTRATION, ID_FQDN, IDR, IKE_AUTH,
                   IKE_SA_INIT, INITIATOR, KD, KE, NONCE, RESPONSE, SA, Initiator, identification,
                   notify, prf, prf_plus)
from topology import namespaces

ESTABLISH_S = 60
ESP = 3


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


class Responder(Initiator):
    """
    The IKE_SA's other side: packets, keys and retransmission are the Initiator's, with the
    directions exchanged. `grant` gives the payloads for a GSA_REGISTRATION.
    """

    def __init__(self, lab, identity, secret, grant, turn=lambda: None):
        super().__init__("sr", str(lab.topology.key_server.address), "192.0.2.1")
        self.socket.close()
        with namespaces.inside("sr"):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((str(lab.topology.key_server.address), 500))
        self.identity, self.secret, self.grant, self.turn = identity, secret, grant, turn
        self.spi_r, self.role = os.urandom(8), 0

    def encrypted(self, exchange, payloads, flags=0, message_id=None):
        return super().encrypted(exchange, payloads, flags & ~INITIATOR | self.role, message_id)

    def successor(self):
        new = super().successor()
        new.role = INITIATOR    # of the IKE_SA that we begin
        return new

    def receive(self, deadline):
        while True:
            self.turn()
            message = super().receive(min(deadline, time.monotonic() + 0.05))
            if message or time.monotonic() >= deadline:
                return message

    def establish(self):  # pylint: disable=arguments-differ
        """Waits for a member and lets it in."""
        deadline = time.monotonic() + ESTABLISH_S
        packet = None
        while not packet:
            check(time.monotonic() < deadline, "no member asks for an IKE_SA")
            self.turn()
            if select.select([self.socket], [], [], 0.05)[0]:
                packet, peer = self.socket.recvfrom(65536)
                if packet[18] != IKE_SA_INIT or packet[8:16] != bytes(8):
                    packet = None
        self.socket.connect(peer)
        self.answer_init(packet)
        while not any(request.exchange == IKE_AUTH for request in self.requests):
            check(time.monotonic() < deadline, "the member does not authenticate")
            self.receive(time.monotonic() + 0.05)
        self.message_id = 0
        return self

    def answer_init(self, packet):
        self.spi_i = packet[:8]
        request = self.decrypt(packet)
        self.peer_nonce = request.bodies(NONCE)[0]
        private = ec.generate_private_key(ec.SECP256R1())
        numbers = private.public_key().public_numbers()
        public = numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
        # what the member proposes is what Initiator would
        self.init_request = self.clear(IKE_SA_INIT, [
            (SA, self.proposal()), (KE, struct.pack(">HH", 19, 0) + public),
            (NONCE, self.nonce), notify(CHILDLESS_SUPPORTED)], RESPONSE, 0)
        self.socket.send(self.init_request)
        self.take_proposal(self.proposal())
        point = request.bodies(KE)[0][4:]
        peer = ec.EllipticCurvePublicNumbers(int.from_bytes(point[:32], "big"),
                                             int.from_bytes(point[32:], "big"), ec.SECP256R1())
        nonces = self.peer_nonce + self.nonce
        stream = prf_plus(prf(nonces, private.exchange(ec.ECDH(), peer.public_key())),
                          nonces + self.spi_i + self.spi_r, 168)
        self.keys = {}
        for name, length in (("d", 32), ("er", 36), ("ei", 36), ("pr", 32), ("pi", 32)):
            self.keys[name], stream = stream[:length], stream[length:]

    def answer_to(self, request):
        if request.exchange == IKE_AUTH:
            own = identification(ID_FQDN, self.identity)
            octets = self.init_request + self.peer_nonce + prf(self.keys["pi"], own)
            code = prf(prf(self.secret, b"Key Pad for IKEv2"), octets)
            return [(IDR, own), (AUTH, bytes([2, 0, 0, 0]) + code)]
        if request.exchange == GSA_REGISTRATION:
            return self.grant(request)
        return []


def granted(body, keys):
    """Payloads of a granted registration, and of a rekey."""
    return [(GSA, body), (KD, keys), notify(gikev2.USE_TRANSPORT_MODE)]
