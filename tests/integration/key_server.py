# SPDX-License-Identifier: GPL-2.0-or-later
"""A small IKEv2 responder (RFC 7296) beside the S/R, for any number of IKE_SAs and groups:
IKE_SA_INIT, childless IKE_AUTH or GSA_AUTH with a pre-shared key, then what a test wants answered
(responder.py begins exchanges of its own). It takes the one proposal that the lab's members send
and shares no code with what it tests.
"""

import os
import select
import socket
import struct
import time

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from harness import check
from ikev2 import (AUTH, CHILDLESS_SUPPORTED, GSA_AUTH, ID_FQDN, IDI, IDR, IKE_AUTH, IKE_SA_INIT,
                   KE, NONCE, RESPONSE, SA, SK, Message, chain, identification, notify, prf,
                   prf_plus, unchain)
from topology import namespaces


class IkeSa:
    """Of one member; `wrap_key` is its GSK_w."""

    def __init__(self, spi_i):
        self.spi_i, self.spi_r = spi_i, os.urandom(8)
        self.nonce, self.sequence = os.urandom(32), 0
        self.keys = self.peer_nonce = self.init_request = self.init_answer = None
        self.answers = {}

    def derive(self, message):
        private = ec.generate_private_key(ec.SECP256R1())
        point = message.bodies(KE)[0][4:]
        peer = ec.EllipticCurvePublicNumbers(int.from_bytes(point[:32], "big"),
                                             int.from_bytes(point[32:], "big"), ec.SECP256R1())
        shared = private.exchange(ec.ECDH(), peer.public_key())
        self.peer_nonce, self.init_request = message.bodies(NONCE)[0], message.packet
        nonces = self.peer_nonce + self.nonce
        stream = prf_plus(prf(nonces, shared), nonces + self.spi_i + self.spi_r, 168)
        self.keys = {}
        for name, length in (("d", 32), ("ei", 36), ("er", 36), ("pi", 32), ("pr", 32)):
            self.keys[name], stream = stream[:length], stream[length:]
        numbers = private.public_key().public_numbers()
        return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")

    def wrap_key(self):
        return prf_plus(self.keys["d"], b"Key Wrap for G-IKEv2", 32)

    def header(self, first, exchange, number, length):
        return self.spi_i + self.spi_r + struct.pack(">BBBBII", first, 0x20, exchange, RESPONSE,
                                                     number, length)

    def clear(self, exchange, number, payloads):
        first, data = chain(payloads)
        return self.header(first, exchange, number, 28 + len(data)) + data

    def encrypted(self, exchange, number, payloads):
        first, data = chain(payloads)
        self.sequence += 1
        vector = struct.pack(">Q", self.sequence)
        length = 4 + 8 + len(data) + 1 + 16
        head = self.header(SK, exchange, number, 28 + length) + struct.pack(">BBH", first, 0,
                                                                            length)
        key, salt = self.keys["er"][:32], self.keys["er"][32:]
        return head + vector + AESGCM(key).encrypt(salt + vector, data + b"\0", head)

    def decrypt(self, packet):
        first, _, exchange, flags, number, length = struct.unpack(">BBBBII", packet[16:28])
        if length != len(packet) or first != SK or not self.keys:
            return None
        key, salt = self.keys["ei"][:32], self.keys["ei"][32:]
        try:
            data = AESGCM(key).decrypt(salt + packet[32:40], packet[40:], packet[:32])
        except InvalidTag:
            return None
        return Message(exchange, flags, number,
                       unchain(packet[28], data[:len(data) - 1 - data[-1]]), packet)


class Responder:
    """`answer(ike_sa, message)` gives the payloads that answer a request over an IKE_SA."""

    def __init__(self, node, address, identity, secret, answer):
        with namespaces.inside(node):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 500))
        self.identity, self.secret, self.answer = identity, secret.encode(), answer
        self.ike_sas = {}
        self.requests = []   # that answer() was asked about, and those that authenticate

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def serve(self, condition, deadline_s, text):
        """Answers until a condition holds."""
        deadline = time.monotonic() + deadline_s
        while not condition():
            check(time.monotonic() < deadline, lambda: f"not within {deadline_s} s: {text}; "
                  + str([(one.exchange, one.kinds(), one.errors()) for one in self.requests]))
            if select.select([self.socket], [], [], 0.1)[0]:
                packet, source = self.socket.recvfrom(65536)
                answer = self.take(packet)
                if answer:
                    self.socket.sendto(answer, source)

    def take(self, packet):
        if len(packet) < 28 or packet[19] & RESPONSE:
            return None
        exchange, number = packet[18], struct.unpack(">I", packet[20:24])[0]
        if exchange == IKE_SA_INIT and packet[:8] not in self.ike_sas:
            self.ike_sas[packet[:8]] = IkeSa(packet[:8])
        ike_sa = self.ike_sas.get(packet[:8])
        if not ike_sa:
            return None
        if number not in ike_sa.answers:
            answer = self.make(ike_sa, exchange, number, packet)
            if not answer:
                return None
            ike_sa.answers[number] = answer
        return ike_sa.answers[number]

    def make(self, ike_sa, exchange, number, packet):
        if exchange == IKE_SA_INIT:
            message = Message(exchange, packet[19], number, unchain(packet[16], packet[28:]),
                              packet)
            public = ike_sa.derive(message)
            ike_sa.init_answer = ike_sa.clear(IKE_SA_INIT, 0, [
                (SA, message.bodies(SA)[0]), (KE, struct.pack(">HH", 19, 0) + public),
                (NONCE, ike_sa.nonce), notify(CHILDLESS_SUPPORTED)])
            return ike_sa.init_answer
        message = ike_sa.decrypt(packet)
        if not message:
            return None
        payloads = []
        if exchange in (IKE_AUTH, GSA_AUTH):
            payloads = self.authentication(ike_sa, message)
        if exchange == GSA_AUTH or exchange > GSA_AUTH:
            payloads += self.answer(ike_sa, message)
        self.requests.append(message)
        return ike_sa.encrypted(exchange, number, payloads)

    def authentication(self, ike_sa, message):
        octets = ike_sa.init_request + ike_sa.nonce + prf(ike_sa.keys["pi"],
                                                          message.bodies(IDI)[0])
        pad = prf(self.secret, b"Key Pad for IKEv2")
        check(message.bodies(AUTH)[0] == bytes([2, 0, 0, 0]) + prf(pad, octets),
              "AUTH of the member is wrong")
        own = identification(ID_FQDN, self.identity)
        octets = ike_sa.init_answer + ike_sa.peer_nonce + prf(ike_sa.keys["pr"], own)
        return [(IDR, own), (AUTH, bytes([2, 0, 0, 0]) + prf(pad, octets))]
