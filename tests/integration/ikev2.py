# SPDX-License-Identifier: GPL-2.0-or-later
"""A small IKEv2 peer (RFC 7296) that can send what charon never would: IKE_SA_INIT, childless
IKE_AUTH (RFC 6023) with a pre-shared key, then any exchange. One proposal: AES-GCM-256,
HMAC-SHA-256, P-256, and a key wrap algorithm (RFC 9838 §4.5.4) unless it is to be without. It
shares no code with what it tests.
"""

import contextlib
import copy
import os
import select
import socket
import struct
import time

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from harness import check
from topology import namespaces

# exchanges
IKE_SA_INIT, IKE_AUTH, CREATE_CHILD_SA, INFORMATIONAL = 34, 35, 36, 37
GSA_AUTH, GSA_REGISTRATION, GSA_INBAND_REKEY = 39, 40, 42
# payloads
SA, KE, IDI, IDR, CERT, CERTREQ, AUTH, NONCE, NOTIFY, DELETE, SK, SKF = 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 46, 53
IDG, GSA, KD = 50, 51, 52
# the transform type of key wrap algorithms
KWA = 13
# notifies
CHILDLESS_SUPPORTED, FRAGMENTATION_SUPPORTED = 16418, 16430
NAT_DETECTION = 16388, 16389    # source, destination
# identifications
ID_FQDN, ID_KEY_ID = 2, 11
INITIATOR, RESPONSE = 0x08, 0x20

ANSWER_S = 20
RETRANSMIT_S = 2
# How long something must not come; it would come at once.
SILENCE_S = 1


def prf(key, data):
    code = hmac.HMAC(key, hashes.SHA256())
    code.update(data)
    return code.finalize()


def prf_plus(key, seed, length):
    block, out = b"", b""
    for number in range(1, -(-length // 32) + 1):
        block = prf(key, block + seed + bytes([number]))
        out += block
    return out[:length]


class Critical(tuple):
    """A payload whose critical bit is set (RFC 7296 §3.2)."""


def chain(payloads):
    """(type of the first, octets) of [(type, body)]. A body may come with a wrong length, as
    (type, body, length of the payload)."""
    out = b""
    for number, payload in enumerate(payloads):
        following = payloads[number + 1][0] if number + 1 < len(payloads) else 0
        length = payload[2] if len(payload) > 2 else len(payload[1]) + 4
        flags = 0x80 if isinstance(payload, Critical) else 0
        out += struct.pack(">BBH", following, flags, length) + payload[1]
    return (payloads[0][0] if payloads else 0), out


def unchain(kind, data):
    payloads = []
    while kind:
        check(len(data) >= 4, f"payload {kind}: header cut off")
        following, _, length = struct.unpack(">BBH", data[:4])
        check(4 <= length <= len(data), f"payload {kind}: length {length} of {len(data)}")
        payloads.append((kind, data[4:length]))
        kind, data = following, data[length:]
    check(not data, f"{len(data)} octets follow the last payload")
    return payloads


def notify(kind, data=b""):
    return NOTIFY, struct.pack(">BBH", 0, 0, kind) + data


def identification(kind, name):
    return bytes([kind, 0, 0, 0]) + name.encode()


def new_key():
    """A key of P-256, and its public part as KE has it."""
    private = ec.generate_private_key(ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    return private, numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


class Message:
    """A message that came, decrypted."""

    def __init__(self, exchange, flags, message_id, payloads, packet):
        self.exchange, self.flags, self.message_id = exchange, flags, message_id
        self.payloads, self.packet = payloads, packet
        self.fragments = []   # packets, if it came so

    def kinds(self):
        return [kind for kind, _ in self.payloads]

    def bodies(self, kind):
        return [body for other, body in self.payloads if other == kind]

    def notifies(self):
        """{type: data}"""
        found = {}
        for body in self.bodies(NOTIFY):
            _, spi_size, kind = struct.unpack(">BBH", body[:4])
            found[kind] = body[4 + spi_size:]
        return found

    def errors(self):
        return [kind for kind in self.notifies() if kind < 16384]


class IkeSa:
    """
    One end of an IKE_SA, as far as both are alike: packets, requests and answers. `ei` and `pi` are
    the keys of this end, `er` and `pr` those of the peer.
    """

    def __init__(self, spi_i, spi_r, role, key_wrap):
        """role: INITIATOR or 0"""
        self.spi_i, self.spi_r, self.role = spi_i, spi_r, role
        self.nonce, self.message_id = os.urandom(32), 0
        self.closed = False
        self.requests = []   # of the peer, all answered
        self.answers_requests, self.ignored = True, []
        self.answered = {}   # Message ID: our answer
        self.parts = {}      # (Message ID, response?): {number of a fragment: what it holds}
        self.peer_nonce = self.init_request = self.init_answer = self.keys = None
        self.sequence = 0
        self.key_wrap, self.key_wrap_algorithm = tuple(key_wrap), None
        self.other = None    # the IKE_SA that has this one's place, or the one before

    # packets

    def header(self, first, exchange, flags, message_id, length):
        return self.spi_i + self.spi_r + struct.pack(">BBBBII", first, 0x20, exchange, flags,
                                                     message_id, length)

    def clear(self, exchange, payloads, flags=INITIATOR, message_id=None):
        first, data = chain(payloads)
        number = self.message_id if message_id is None else message_id
        return self.header(first, exchange, flags, number, 28 + len(data)) + data

    def encrypted(self, exchange, payloads, flags=INITIATOR, message_id=None):
        first, data = chain(payloads)
        number = self.message_id if message_id is None else message_id
        return self.protect(SK, first, exchange, flags & ~INITIATOR | self.role, number, b"", data)

    def protect(self, kind, first, exchange, flags, number, fragment, data):
        self.sequence += 1
        vector = struct.pack(">Q", self.sequence)
        length = 4 + len(fragment) + 8 + len(data) + 1 + 16
        head = self.header(kind, exchange, flags, number, 28 + length) \
            + struct.pack(">BBH", first, 0, length) + fragment
        key, salt = self.keys["ei"][:32], self.keys["ei"][32:]
        return head + vector + AESGCM(key).encrypt(salt + vector, data + b"\0", head)

    def fragments(self, exchange, payloads, size):
        """A request as fragments (RFC 7383 §2.5) of so many octets of its payloads."""
        first, data = chain(payloads)
        parts = [data[start:start + size] for start in range(0, len(data), size)]
        return [self.protect(SKF, 0 if number else first, exchange, self.role, self.message_id,
                             struct.pack(">HH", number + 1, len(parts)), part)
                for number, part in enumerate(parts)]

    def decrypt(self, packet):
        """A Message, or None if it is not (rightly) one of this IKE_SA."""
        if len(packet) < 28 or packet[:8] != self.spi_i:
            return None
        first, _, exchange, flags, number, length = struct.unpack(">BBBBII", packet[16:28])
        if length != len(packet):
            return None
        if first == SKF and self.keys:
            return self.decrypt_fragment(packet, exchange, flags, number)
        if first != SK or not self.keys:
            return Message(exchange, flags, number, unchain(first, packet[28:]), packet)
        inner = packet[28]
        key, salt = self.keys["er"][:32], self.keys["er"][32:]
        try:
            data = AESGCM(key).decrypt(salt + packet[32:40], packet[40:], packet[:32])
        except InvalidTag:
            return None
        return Message(exchange, flags, number, unchain(inner, data[:len(data) - 1 - data[-1]]),
                       packet)

    def decrypt_fragment(self, packet, exchange, flags, number):
        """The message, once its last fragment is here (RFC 7383 §2.6)."""
        inner, _, _, part, total = struct.unpack(">BBHHH", packet[28:36])
        key, salt = self.keys["er"][:32], self.keys["er"][32:]
        try:
            data = AESGCM(key).decrypt(salt + packet[36:44], packet[44:], packet[:36])
        except InvalidTag:
            return None
        parts = self.parts.setdefault((number, flags & RESPONSE), {})
        parts[part] = inner, data[:len(data) - 1 - data[-1]], packet
        if len(parts) < total:
            return None
        del self.parts[number, flags & RESPONSE]
        parts = [parts[index] for index in range(1, total + 1)]
        message = Message(exchange, flags, number, unchain(
            parts[0][0], b"".join(octets for _, octets, _ in parts)), packet)
        message.fragments = [one for _, _, one in parts]
        return message

    def send(self, packet):
        raise NotImplementedError

    def receive(self, deadline):
        """The next message that is not a request of the peer; those are answered. None: no more."""
        raise NotImplementedError

    def take_request(self, message):
        if not self.answers_requests:
            self.ignored.append(message)
            return
        if message.message_id not in self.answered:
            self.requests.append(message)
            payloads = self.answer_to(message)
            if payloads is None:
                return
            self.answered[message.message_id] = self.encrypted(
                message.exchange, payloads, INITIATOR | RESPONSE, message.message_id)
            # D(IKE): the peer ends the IKE_SA
            self.closed |= any(body[0] == 1 for body in message.bodies(DELETE))
        self.send(self.answered[message.message_id])

    def answer_to(self, _request):
        """Payloads for a request of the peer; None: it is not answered."""
        return []

    def transmit(self, packet):
        """Sends a request until its answer comes."""
        end = time.monotonic() + ANSWER_S
        number = struct.unpack(">I", packet[20:24])[0]
        while time.monotonic() < end:
            self.send(packet)
            deadline = min(end, time.monotonic() + RETRANSMIT_S)
            message = self.receive(deadline)
            while message:
                if message.message_id == number:
                    return message
                message = self.receive(deadline)
        check(False, f"no answer to exchange {packet[18]}, Message ID {number}")
        return None

    def send_request(self, exchange, payloads):
        self.send(self.encrypted(exchange, payloads))

    def request(self, exchange, payloads):
        answer = self.transmit(self.encrypted(exchange, payloads))
        self.message_id += 1
        check(answer.exchange == exchange, f"exchange {answer.exchange} answers {exchange}")
        return answer

    def whatever_comes(self, packet):
        """Sends something that need not be answered; all answers."""
        self.send(packet)
        deadline, found = time.monotonic() + SILENCE_S, []
        message = self.receive(deadline)
        while message:
            found.append(message)
            message = self.receive(deadline)
        return found

    def await_request(self, condition, deadline_s=ANSWER_S):
        """The first request of the peer, so far or soon, that meets a condition."""
        deadline = time.monotonic() + deadline_s
        while not any(condition(request) for request in self.requests):
            self.receive(min(deadline, time.monotonic() + 0.1))
            check(time.monotonic() < deadline, lambda: "the key server did not ask for it, only "
                  + str([(request.exchange, request.kinds()) for request in self.requests]))
        return next(request for request in self.requests if condition(request))

    def unanswered(self, exchange):
        """Packets of the peer's requests that were not answered, on purpose, so far or now."""
        self.receive(time.monotonic() + 0.1)
        return [message.packet for message in self.ignored if message.exchange == exchange]

    # the IKE_SA

    def proposal(self, spi=b""):
        wanted = [(1, 20, struct.pack(">HH", 0x800e, 256)), (2, 5, b""), (4, 19, b"")]
        wanted += [(KWA, number, b"") for number in self.key_wrap]
        joined = b"".join(struct.pack(">BBHBBH", 0 if index + 1 == len(wanted) else 3, 0,
                                      8 + len(attribute), kind, 0, number) + attribute
                          for index, (kind, number, attribute) in enumerate(wanted))
        return struct.pack(">BBHBBBB", 0, 0, 8 + len(spi) + len(joined), 1, 1, len(spi),
                           len(wanted)) + spi + joined

    def take_proposal(self, body, spi_size=0):
        """What the key server chose: one transform of each type that was proposed. Its SPI."""
        _, _, length, _, protocol, size, count = struct.unpack(">BBHBBBB", body[:8])
        spi, rest, chosen = body[8:8 + spi_size], body[8 + spi_size:], {}
        check((length, protocol, size) == (len(body), 1, spi_size), f"SA {body.hex()}")
        while rest:
            _, _, length, kind, _, number = struct.unpack(">BBHBBH", rest[:8])
            check(kind not in chosen, f"two transforms of type {kind}")
            chosen[kind], rest = number, rest[length:]
        check(len(chosen) == count, f"{count} transforms, not {len(chosen)}")
        expected = {1, 2, 4} | ({KWA} if self.key_wrap else set())
        check(set(chosen) == expected, f"types {set(chosen)}, not {expected}")
        check(chosen.get(KWA) in self.key_wrap or not self.key_wrap, f"KWA {chosen.get(KWA)}")
        self.key_wrap_algorithm = chosen.get(KWA, 3)
        return spi

    def derive(self, private, point, secret=None):
        """
        The keys, of the peer's point and what is known by now (RFC 7296 §2.14); secret: SK_d of the
        IKE_SA whose place this one takes (§2.18).
        """
        peer = ec.EllipticCurvePublicNumbers(int.from_bytes(point[:32], "big"),
                                             int.from_bytes(point[32:], "big"), ec.SECP256R1())
        shared = private.exchange(ec.ECDH(), peer.public_key())
        nonces, names = self.nonce + self.peer_nonce, ("d", "ei", "er", "pi", "pr")
        if not self.role:
            nonces, names = self.peer_nonce + self.nonce, ("d", "er", "ei", "pr", "pi")
        seed = prf(secret, shared + nonces) if secret else prf(nonces, shared)
        stream = prf_plus(seed, nonces + self.spi_i + self.spi_r, 168)
        self.keys = {}
        for name, length in zip(names, (32, 36, 36, 32, 32)):
            self.keys[name], stream = stream[:length], stream[length:]

    def successor(self):
        """An IKE_SA that is to take this one's place: no keys yet, and the same socket."""
        new = copy.copy(self)
        new.spi_i, new.spi_r, new.nonce = os.urandom(8), bytes(8), os.urandom(32)
        new.message_id = new.sequence = 0
        new.requests, new.ignored, new.answered, new.parts = [], [], {}, {}
        new.keys, new.role = None, INITIATOR
        return new

    def rekey(self):
        """Rekeys the IKE_SA (RFC 7296 §1.3.2). The new one; this one is still there."""
        new, (private, public) = self.successor(), new_key()
        answer = self.request(CREATE_CHILD_SA, [
            (SA, self.proposal(new.spi_i)), (NONCE, new.nonce),
            (KE, struct.pack(">HH", 19, 0) + public)])
        check(not answer.errors(), f"CREATE_CHILD_SA: error notifies {answer.errors()}")
        new.spi_r = new.take_proposal(answer.bodies(SA)[0], 8)
        new.peer_nonce = answer.bodies(NONCE)[0]
        new.derive(private, answer.bodies(KE)[0][4:], self.keys["d"])
        self.closed, self.other, new.other = True, new, self
        return new

    def delete(self):
        return self.request(INFORMATIONAL, [(DELETE, bytes([1, 0, 0, 0]))])

    def group_key_wrap_key(self):
        """GSK_w (RFC 9838 §3.1.1), as long as the negotiated algorithm's keys are."""
        return prf_plus(self.keys["d"], b"Key Wrap for G-IKEv2",
                        {1: 16, 2: 24, 3: 32}[self.key_wrap_algorithm])


class Initiator(IkeSa):
    """One IKE_SA, from a node's network to an address."""

    def __init__(self, node, local, remote, key_wrap=(3,)):
        """key_wrap: ids of the algorithms to propose (1 to 3: KW_5649 with 128, 192, 256 bits)"""
        super().__init__(os.urandom(8), bytes(8), INITIATOR, key_wrap)
        self.node, self.local, self.remote = node, local, remote
        self.socket = self.marker = None
        self.go_to(500)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.keys and not self.closed:
            with contextlib.suppress(OSError):
                self.send_request(INFORMATIONAL, [(DELETE, bytes([1, 0, 0, 0]))])
        self.socket.close()

    def go_to(self, port):
        """From a new port of its own, as if a NAT had begun anew, to 500 or 4500 (RFC 7296 §2.23)."""
        if self.socket:
            self.socket.close()
        with namespaces.inside(self.node):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((self.local, 0))
        self.socket.connect((self.remote, port))
        self.marker = bytes(4 if port == 4500 else 0)

    def send(self, packet):
        self.socket.send(self.marker + packet)

    def receive(self, deadline):
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return None
            try:
                packet = self.socket.recv(65536)
            except ConnectionRefusedError:
                continue
            if not packet.startswith(self.marker):
                continue
            packet = packet[len(self.marker):]
            message = self.decrypt(packet)
            if message and message.flags & RESPONSE:
                return message
            if message:
                self.take_request(message)
            elif self.other:
                message = self.other.decrypt(packet)
                if message and not message.flags & RESPONSE:
                    self.other.take_request(message)

    def init(self, *more):
        """IKE_SA_INIT, with more payloads; its answer is in `init_answer`."""
        private, public = new_key()
        self.init_request = self.clear(IKE_SA_INIT, [
            (SA, self.proposal()), (KE, struct.pack(">HH", 19, 0) + public),
            (NONCE, self.nonce), notify(FRAGMENTATION_SUPPORTED), *more])
        answer = self.transmit(self.init_request)
        check(not answer.errors(), f"IKE_SA_INIT: error notifies {answer.errors()}")
        check(CHILDLESS_SUPPORTED in answer.notifies(), "no CHILDLESS_IKEV2_SUPPORTED")
        self.init_answer = answer.packet
        self.take_proposal(answer.bodies(SA)[0])
        self.message_id = 1
        self.spi_r = answer.packet[8:16]
        self.peer_nonce = answer.bodies(NONCE)[0]
        self.derive(private, answer.bodies(KE)[0][4:])
        return self

    def authentication(self, identity, peer_identity, secret):
        """The payloads of IKE_AUTH, or GSA_AUTH, that authenticate with a pre-shared key."""
        own = identification(ID_FQDN, identity)
        octets = self.init_request + self.peer_nonce + prf(self.keys["pi"], own)
        code = prf(prf(secret.encode(), b"Key Pad for IKEv2"), octets)
        return [(IDI, own), (IDR, identification(ID_FQDN, peer_identity)),
                (AUTH, bytes([2, 0, 0, 0]) + code)]

    def certified(self, identity, peer_identity, credential):
        """The same with an ECDSA P-256 key, whose certificate and CA come along."""
        own = identification(ID_FQDN, identity)
        octets = self.init_request + self.peer_nonce + prf(self.keys["pi"], own)
        r, s = utils.decode_dss_signature(credential.key.sign(octets, ec.ECDSA(hashes.SHA256())))
        return [(IDI, own), (CERT, bytes([4]) + credential.certificate),
                (CERTREQ, bytes([4]) + credential.authority_hash),
                (IDR, identification(ID_FQDN, peer_identity)),
                (AUTH, bytes([9, 0, 0, 0]) + r.to_bytes(32, "big") + s.to_bytes(32, "big"))]

    def check_peer(self, answer, secret=None, public_key=None):
        """The responder's AUTH (RFC 7296 §2.15): by the secret, the key that is known, or the
        certificate that it sent."""
        (auth,), (identity,) = answer.bodies(AUTH), answer.bodies(IDR)
        octets = self.init_answer + self.nonce + prf(self.keys["pr"], identity)
        if secret:
            code = prf(prf(secret.encode(), b"Key Pad for IKEv2"), octets)
            check(auth == bytes([2, 0, 0, 0]) + code, "AUTH of the key server is wrong")
            return
        if not public_key:
            public_key = x509.load_der_x509_certificate(answer.bodies(CERT)[0][1:]).public_key()
        check(auth[0] == 9 and len(auth) == 68, f"AUTH method {auth[0]}, {len(auth)} octets")
        signature = utils.encode_dss_signature(*(int.from_bytes(auth[start:start + 32], "big")
                                                 for start in (4, 36)))
        public_key.verify(signature, octets, ec.ECDSA(hashes.SHA256()))

    def authenticate(self, identity, peer_identity, secret):
        return self.request(IKE_AUTH, self.authentication(identity, peer_identity, secret))

    def establish(self, identity, peer_identity, secret):
        answer = self.init().authenticate(identity, peer_identity, secret)
        check(AUTH in answer.kinds(), f"IKE_AUTH: {answer.kinds()}, errors {answer.errors()}")
        return self
