# SPDX-License-Identifier: GPL-2.0-or-later
"""A member of another make, which is not always right: an IKEv2 initiator in Python, from site2's
network of two-groups, with a pre-shared key for the group red. What the tests that use it share.
"""

import contextlib
import os
import secrets
import struct

import gikev2
from harness import check, wait_until
from ikev2 import GSA, GSA_REGISTRATION, ID_KEY_ID, IDG, KD, NOTIFY, Initiator, identification, \
    notify

IDENTITY, SECOND = "probe.red.example", "second.red.example"
KEY_SERVER = "sr.red.example"
SECRET = secrets.token_hex(24)
NODE = "site2"
RED = (IDG, identification(ID_KEY_ID, "red"))


def initiator(lab, **options):
    if not hasattr(lab, "knows_probe"):
        path = os.path.join(os.environ["LAB_RUN"], "sr/etc/swanctl/swanctl.conf")
        with open(path, "a", encoding="ascii") as file:
            file.write(f"secrets {{\n  ike-probe {{\n    id-0 = {IDENTITY}\n"
                       f"    id-1 = {SECOND}\n"
                       f"    secret = {SECRET}\n  }}\n}}\n")
        lab.run("sr", "swanctl", "--load-creds", "--noprompt")
        lab.knows_probe = True
    return Initiator(NODE, str(lab.topology.nodes[NODE].address),
                     str(lab.topology.key_server.address), **options)


@contextlib.contextmanager
def established(lab, **options):
    """An IKE_SA of the probe; at the end it leaves the group and deletes the IKE_SA."""
    with initiator(lab, **options).establish(IDENTITY, KEY_SERVER, SECRET) as ike_sa:
        yield ike_sa
        leave(lab, ike_sa)


def leave(lab, ike_sa):
    if not ike_sa.closed:
        register(ike_sa, RED, notify(gikev2.REGISTRATION_FAILED))
        wait_until(lambda: not entries(lab), 20, "the end of the probe's registration")


@contextlib.contextmanager
def key_server_setting(lab, section, line):
    """One more line in the S/R's strongswan.conf, in a section that it has."""
    path = os.path.join(os.environ["LAB_RUN"], "sr/etc/strongswan.conf")
    with open(path, encoding="ascii") as file:
        before = file.read()
    check(section in before, f"strongswan.conf has no {section}")
    try:
        reload_settings(lab, path, before.replace(section, f"{section}\n{line}", 1))
        yield
    finally:
        reload_settings(lab, path, before)


def reload_settings(lab, path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    lab.run("sr", "swanctl", "--reload-settings")


def register(ike_sa, *payloads):
    return ike_sa.request(GSA_REGISTRATION, list(payloads) or [RED])


def entries(lab):
    return [entry for entry in lab.registrations() if entry["identity"] == IDENTITY]


def check_granted(answer):
    check(answer.bodies(KD) and answer.bodies(GSA),
          f"not granted: payloads {answer.kinds()}, errors {answer.errors()}")


def check_no_keys(answer):
    check(not answer.bodies(KD) and not answer.bodies(GSA),
          f"a refusal carries payloads {answer.kinds()}")


def check_refused(answer, expected):
    """One error notify without SPI and data (RFC 9838 §4.7), and nothing else."""
    check_no_keys(answer)
    check(answer.payloads == [(NOTIFY, struct.pack(">BBH", 0, 0, expected))],
          f"payloads {answer.payloads}, not the notify {expected} alone")


def red_state(lab):
    """(SPI, encryption key and integrity key) as a member's kernel has them."""
    for state in lab.states("site3"):
        if state["group"] == "red":
            keys = dict(zip(state["algorithms"], state["keys"]))
            return state["spi"], bytes.fromhex(keys["cbc(aes)"] + keys["hmac(sha256)"])
    check(False, "site3 has no state of red")
    return None
