# SPDX-License-Identifier: GPL-2.0-or-later
"""Opens captured ESP packets (RFC 4303) with the keys of an IPsec state: what an attacker who
holds these keys reads. Written from the RFCs; shares no code with what it tests.
"""

import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from .capture import ESP

AES_CBC, AES_GCM = "cbc(aes)", "rfc4106(gcm(aes))"
CHACHA20_POLY1305, HMAC_SHA256 = "rfc7539esp(chacha20,poly1305)", "hmac(sha256)"
HEADER, VECTOR_AEAD, VECTOR_CBC, ICV = 8, 8, 16, 16
SALT = 4
IN_IPV4 = 4     # next header of a tunnel


@dataclass(frozen=True)
class Keys:
    """Of one state or pair. With AEAD the salt follows the key, as in a state."""
    spi: int
    algorithm: str              # the kernel's name of the encryption
    encryption: bytes
    integrity: bytes = b""      # AES-CBC: HMAC-SHA-256-128

    @staticmethod
    def of(state):
        """From what states.parse() gives."""
        by_name = dict(zip(state["algorithms"], map(bytes.fromhex, state["keys"])))
        integrity = by_name.pop(HMAC_SHA256, b"")
        (algorithm, encryption), = by_name.items()
        return Keys(state["spi"], algorithm, encryption, integrity)


def esp_of(packet):
    """The ESP part of a captured packet, or None. The capture must be of whole packets."""
    if packet.protocol != ESP:
        return None
    header = (packet.data[0] & 15) * 4
    return packet.data[header:struct.unpack_from("!H", packet.data, 2)[0]]


def spi_of(packet):
    return struct.unpack_from("!I", esp_of(packet))[0]


def opened(packet, keys):
    """The packet inside, or None: the keys are not its keys, whatever the SPI."""
    data = esp_of(packet)
    if data is None or len(data) < HEADER + VECTOR_AEAD + ICV:
        return None
    text = open_cbc(data, keys) if keys.algorithm == AES_CBC else open_aead(data, keys)
    if text is None:
        return None
    padding, following = text[-2:]
    return text[:-2 - padding] if following == IN_IPV4 else None


def open_aead(data, keys):
    cipher = {AES_GCM: AESGCM, CHACHA20_POLY1305: ChaCha20Poly1305}[keys.algorithm]
    key, salt = keys.encryption[:-SALT], keys.encryption[-SALT:]
    vector = data[HEADER:HEADER + VECTOR_AEAD]
    try:
        return cipher(key).decrypt(salt + vector, data[HEADER + VECTOR_AEAD:], data[:HEADER])
    except InvalidTag:
        return None


def open_cbc(data, keys):
    code = hmac.HMAC(keys.integrity, hashes.SHA256())
    code.update(data[:-ICV])
    if code.finalize()[:ICV] != data[-ICV:]:
        return None
    decryptor = Cipher(algorithms.AES(keys.encryption),
                       modes.CBC(data[HEADER:HEADER + VECTOR_CBC])).decryptor()
    return decryptor.update(data[HEADER + VECTOR_CBC:-ICV]) + decryptor.finalize()
