# SPDX-License-Identifier: GPL-2.0-or-later
"""A member of another make, an IKEv2 initiator in Python, that opens with GSA_AUTH: one with each
kind of credential that a group of the topology `credentials` may want, at the address of site1."""

import hashlib
import os
import secrets
import types

import certificates
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from harness import check
from ikev2 import (AUTH, CERT, CERTREQ, GSA_AUTH, ID_FQDN, IDI, IDR, NOTIFY, Initiator,
                   identification, prf)
from pymember import admit

EAP = 48
EAP_REQUEST, EAP_RESPONSE, EAP_SUCCESS, EAP_MD5 = 1, 2, 3, 4
PAD = b"Key Pad for IKEv2"


def initiator(lab):
    return Initiator("site1", str(lab.topology.nodes["site1"].address),
                     str(lab.topology.key_server.address))


def key_server(group):
    return f"sr.{group}.example"


def etc(lab, name):
    return os.path.join(os.environ["LAB_RUN"], lab.topology.key_server.name, "etc/swanctl", name)


def add_connection(lab, group, remote, more=""):
    """At the S/R, which proves itself to this peer as to the group's other ones."""
    local = "pubkeys" if group == "public-key" else "certs"
    with open(etc(lab, "swanctl.conf"), "a", encoding="ascii") as file:
        file.write(f"""
connections {{
  probe-{group} {{
    version = 2
    local_addrs = {lab.topology.key_server.address}
    proposals = aes256gcm16-prfsha256-ecp256-kw5649_256, aes256gcm16-prfsha256-ecp256-kw5649_128
    childless = force
    local {{
      auth = pubkey
      id = {key_server(group)}
      {local} = {group}.pem
    }}
    remote {{
{remote}
    }}
  }}
}}
{more}
""")
    lab.run(lab.topology.key_server.name, "swanctl", "--load-all", "--noprompt")


class Psk:
    identity, group = "probe.psk.example", "psk"

    def __init__(self, lab):
        self.secret = admit(lab, self.group, [self.identity])

    def open(self, ike_sa, payloads):
        """The answer that has the key server's AUTH, which is right, and the last one."""
        answer = ike_sa.request(GSA_AUTH, ike_sa.authentication(
            self.identity, key_server(self.group), self.secret) + payloads)
        ike_sa.check_peer(answer, self.secret)
        return answer, answer


class Certificate:
    identity, group = "probe.certificate.example", "certificate"

    def __init__(self, lab):
        self.credential = certificates.Authority(self.group).issue(self.identity)

    def open(self, ike_sa, payloads):
        answer = ike_sa.request(GSA_AUTH, ike_sa.certified(
            self.identity, key_server(self.group), self.credential) + payloads)
        ike_sa.check_peer(answer)
        return answer, answer


class PublicKey:
    identity, group = "probe.public-key.example", "public-key"

    def __init__(self, lab):
        key = ec.generate_private_key(ec.SECP256R1())
        self.credential = types.SimpleNamespace(key=key, certificate=b"", authority_hash=b"")
        with open(etc(lab, "pubkey/probe.pem"), "wb") as file:
            file.write(key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
        with open(etc(lab, f"pubkey/{self.group}.pem"), "rb") as file:
            self.peer_key = serialization.load_pem_public_key(file.read())
        add_connection(lab, self.group, f"      auth = pubkey\n      id = {self.identity}\n"
                       "      pubkeys = probe.pem")

    def open(self, ike_sa, payloads):
        """A raw key is known already: neither CERT nor CERTREQ."""
        own = [payload for payload in ike_sa.certified(
            self.identity, key_server(self.group), self.credential)
            if payload[0] in (IDI, IDR, AUTH)]
        answer = ike_sa.request(GSA_AUTH, own + payloads)
        ike_sa.check_peer(answer, public_key=self.peer_key)
        return answer, answer


class Eap:
    """EAP-MD5 (RFC 3748 §5.4): without a key of its own, so AUTH is by SK_p (RFC 7296 §2.16)."""
    identity, group = "probe.eap.example", "eap"

    def __init__(self, lab):
        self.secret = secrets.token_hex(16)
        self.authority_hash = certificates.Authority(self.group).issue("x").authority_hash
        add_connection(lab, self.group, f"      auth = eap-md5\n      id = {self.identity}",
                       f"secrets {{\n  eap-probe {{\n    id = {self.identity}\n"
                       f"    secret = {self.secret}\n  }}\n}}")

    def open(self, ike_sa, payloads):
        own = identification(ID_FQDN, self.identity)
        first = ike_sa.request(GSA_AUTH, [
            (IDI, own), (CERTREQ, bytes([4]) + self.authority_hash),
            (IDR, identification(ID_FQDN, key_server(self.group)))] + payloads)
        ike_sa.check_peer(first)
        (challenge,) = first.bodies(EAP)
        check(challenge[0] == EAP_REQUEST and challenge[4] == EAP_MD5, f"EAP {challenge.hex()}")
        value = challenge[6:6 + challenge[5]]
        digest = hashlib.md5(challenge[1:2] + self.secret.encode() + value).digest()
        body = bytes([EAP_MD5, len(digest)]) + digest
        answer = ike_sa.request(GSA_AUTH, [(EAP, bytes([EAP_RESPONSE, challenge[1]])
                                            + (4 + len(body)).to_bytes(2, "big") + body)])
        check(answer.kinds() == [EAP] and answer.bodies(EAP)[0][0] == EAP_SUCCESS,
              f"payloads {answer.kinds()}, errors {answer.errors()}")
        octets = ike_sa.init_request + ike_sa.peer_nonce + prf(ike_sa.keys["pi"], own)
        last = ike_sa.request(GSA_AUTH, [(AUTH, bytes([2, 0, 0, 0]) + prf(
            prf(ike_sa.keys["pi"], PAD), octets))])
        octets = ike_sa.init_answer + ike_sa.nonce + prf(ike_sa.keys["pr"], first.bodies(IDR)[0])
        check(last.bodies(AUTH) == [bytes([2, 0, 0, 0]) + prf(prf(ike_sa.keys["pr"], PAD), octets)],
              f"AUTH of the key server is wrong: {last.kinds()}, {last.errors()}")
        check(not set(first.kinds()) - {IDR, CERT, AUTH, EAP, NOTIFY}, f"payloads {first.kinds()}")
        return first, last
