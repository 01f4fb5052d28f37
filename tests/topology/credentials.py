# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates (ECDSA P-256, one CA a group), raw keys and secrets, made for each run."""

import os
import secrets
import subprocess

ORGANIZATION = "frr-gsa lab"


def ca_subject(group):
    """As strongSwan prints it."""
    return f"O={ORGANIZATION}, CN={group} CA"


def psk():
    return secrets.token_hex(24)


class Authority:
    """A CA, made on first use. `stranger`: same subject, another key."""

    def __init__(self, folder, group, stranger=False):
        self.subject = f"/O={ORGANIZATION}/CN={group} CA"
        self.stem = os.path.join(folder, f"{group}-stranger" if stranger else group)
        self.certificate = f"{self.stem}.pem"
        os.makedirs(folder, mode=0o700, exist_ok=True)
        request(self.subject, f"{self.stem}.key", self.certificate,
                "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")

    def issue(self, name, key, certificate):
        request(f"/O={ORGANIZATION}/CN={name}", key, certificate,
                "basicConstraints=CA:FALSE", f"subjectAltName=DNS:{name}",
                signer=["-CA", self.certificate, "-CAkey", f"{self.stem}.key"])


def raw_key(folder, name):
    """Paths of a private and a public key, made on first use."""
    private, public = (os.path.join(folder, f"{name}.{part}.pem") for part in ("private", "public"))
    if not os.path.exists(public):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-out", private)
        openssl("pkey", "-in", private, "-pubout", "-out", public)
    return private, public


def request(subject, key, certificate, *extensions, signer=()):
    command = ["req", "-x509", *signer, "-newkey", "ec",
               "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-sha256", "-days", "30",
               "-config", "/dev/null", "-subj", subject, "-keyout", key, "-out", certificate]
    for extension in extensions:
        command += ["-addext", extension]
    openssl(*command)


def openssl(*command):
    run = subprocess.run(["openssl", *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, check=False)
    if run.returncode != 0:
        raise OSError(f"openssl: {run.stdout.strip()}")
