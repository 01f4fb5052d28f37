# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates of the lab's CAs for a member of another make (ikev2.py)."""

import datetime
import os
import types

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from topology import credentials


class Authority:
    """The CA of a group, as topology/credentials.py has made it."""

    def __init__(self, group):
        stem = os.path.join(os.environ["LAB_RUN"], "credentials", group)
        with open(f"{stem}.key", "rb") as file:
            self.key = serialization.load_pem_private_key(file.read(), None)
        with open(f"{stem}.pem", "rb") as file:
            self.certificate = x509.load_pem_x509_certificate(file.read())

    def issue(self, identity, life_s=86400, crl_uri=None, ocsp_uri=None):
        """What Initiator.certified() takes: key, certificate (DER), hash of the CA's key."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.timezone.utc)
        subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME,
                                                credentials.ORGANIZATION),
                             x509.NameAttribute(NameOID.COMMON_NAME, identity)])
        builder = x509.CertificateBuilder(
            issuer_name=self.certificate.subject, subject_name=subject,
            public_key=key.public_key(), serial_number=x509.random_serial_number(),
            not_valid_before=now - datetime.timedelta(minutes=5),
            not_valid_after=now + datetime.timedelta(seconds=life_s),
        ).add_extension(x509.SubjectAlternativeName([x509.DNSName(identity)]), critical=False)
        if crl_uri:
            builder = builder.add_extension(x509.CRLDistributionPoints([x509.DistributionPoint(
                [x509.UniformResourceIdentifier(crl_uri)], None, None, None)]), critical=False)
        if ocsp_uri:
            builder = builder.add_extension(x509.AuthorityInformationAccess([x509.AccessDescription(
                AuthorityInformationAccessOID.OCSP,
                x509.UniformResourceIdentifier(ocsp_uri))]), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        digest = hashes.Hash(hashes.SHA1())
        digest.update(self.certificate.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
        return types.SimpleNamespace(
            key=key, certificate=certificate.public_bytes(serialization.Encoding.DER),
            authority_hash=digest.finalize())
