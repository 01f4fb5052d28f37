#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: two-groups
#
#   blue (certificates): site1 site2 site3, and a member of another make: an IKEv2 initiator in
#   Python, from site2's network.
"""A registered member whose certificate is revoked, or expires, loses its registration and its
IKE_SA; the others stay.
"""

import datetime
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

import certificates
import gikev2
from harness import case, check, main, wait_until
from ikev2 import DELETE, GSA_AUTH, ID_KEY_ID, IDG, INFORMATIONAL, KD, identification
from observe import await_log, check_reachability
from probe import initiator

SITE, IDENTITY = "site1", "site1.blue.example"
OTHERS = ("site2.blue.example", "site3.blue.example")
PROBE, SLOW, KEY_SERVER = "probe.blue.example", "slow.blue.example", "sr.blue.example"
BLUE = (IDG, identification(ID_KEY_ID, "blue"))
STEP_S = 60
# charon.plugins.gsa.revalidate
PERIOD_S = 60
LIFE_S = 25


def crl_path():
    return os.path.join(os.environ["LAB_RUN"], "sr/etc/swanctl/x509crl/blue.crl")


def publish(lab, number, *serials):
    """A CRL of blue's CA, loaded by the S/R as its operator would do it."""
    authority = certificates.Authority("blue")
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=authority.certificate.subject, last_update=now - datetime.timedelta(hours=1),
        next_update=now + datetime.timedelta(days=1))
    builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
        authority.key.public_key()), critical=False)
    for serial in serials:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder(serial, now - datetime.timedelta(minutes=1)).build())
    crl = builder.sign(authority.key, hashes.SHA256())
    os.makedirs(os.path.dirname(crl_path()), exist_ok=True)
    with open(crl_path(), "wb") as file:
        file.write(crl.public_bytes(serialization.Encoding.DER))
    lab.run("sr", "swanctl", "--load-creds", "--noprompt")


def serial_of(site):
    path = os.path.join(os.environ["LAB_RUN"], site, "etc/swanctl/x509/blue.pem")
    with open(path, "rb") as file:
        return x509.load_pem_x509_certificate(file.read()).serial_number


def since(lab):
    return {identity: lab.registration(identity)["registered-at"] for identity in OTHERS}


@case("a CRL that is about nobody here changes nothing")
def empty(lab):
    before = since(lab) | {IDENTITY: lab.registration(IDENTITY)["registered-at"]}
    checked = len(lab.log_lines("sr", "charon", "reached self-signed root ca"))
    publish(lab, 1)
    wait_until(lambda: len(lab.log_lines("sr", "charon", "reached self-signed root ca"))
               >= checked + 3, STEP_S, "the S/R has looked at the three certificates")
    after = since(lab) | {IDENTITY: lab.registration(IDENTITY)["registered-at"]}
    check(after == before, f"registrations were {before}, now are {after}")


@case("a member whose certificate is revoked is out, and told so; the others stay")
def revoked(lab):
    before = since(lab)
    publish(lab, 2, serial_of(SITE))
    wait_until(lambda: not lab.registration(IDENTITY), STEP_S, f"the end of {IDENTITY}")
    await_log(lab, "sr", "gcksd", IDENTITY, "its certificate is revoked")
    await_log(lab, SITE, "charon", "the key server ended the membership")
    wait_until(lambda: not [state for state in lab.states(SITE) if state["group"]], STEP_S,
               "site1's kernel holds nothing of the group")
    check(since(lab) == before, f"registrations were {before}, now are {since(lab)}")


@case("it cannot come back: charon does not authenticate it, and it has no IKE_SA")
def stays_out(lab):
    await_log(lab, SITE, "charon", "authentication failed", deadline_s=STEP_S)
    check(not lab.registration(IDENTITY), "it is registered")
    check("blue:" not in lab.run(SITE, "swanctl", "--list-sas"), "it has an IKE_SA")
    check_reachability(lab, without=("host1",))


@case("a CRL that no longer names it lets it in again")
def back(lab):
    publish(lab, 3)
    wait_until(lambda: lab.registration(IDENTITY) and lab.member(SITE, "blue", "registered"),
               STEP_S, f"{IDENTITY} is registered")
    check_reachability(lab)


@case("a certificate that expires ends the registration: Deletes, then the IKE_SA")
def expires(lab):
    credential = certificates.Authority("blue").issue(PROBE, LIFE_S)
    with initiator(lab).init() as ike_sa:
        answer = ike_sa.request(GSA_AUTH, ike_sa.certified(PROBE, KEY_SERVER, credential)
                                + [BLUE])
        check(answer.bodies(KD), f"not granted: {answer.kinds()}, {answer.errors()}")
        check(lab.registration(PROBE), "it is not registered")
        ike_sa.await_request(lambda request: any(
            body[0] == gikev2.GIKE_UPDATE for body in request.bodies(DELETE)),
            LIFE_S + PERIOD_S + STEP_S)
        wait_until(lambda: not lab.registration(PROBE), STEP_S, "the end of the registration")
        await_log(lab, "sr", "gcksd", PROBE, "is not valid now")
        ike_sa.await_request(lambda request: any(body[0] == 1 for body in request.bodies(DELETE)))


@case("a CRL server that does not answer keeps nobody waiting, the certificate's owner neither")
def slow_server(lab):
    # whose reader waits until somebody writes
    fifo = os.path.join(os.environ["LAB_RUN"], "sr/run/crl.fifo")
    os.mkfifo(fifo)
    credential = certificates.Authority("blue").issue(SLOW, crl_uri="file:///run/crl.fifo")
    with initiator(lab).init() as ike_sa:
        # the CRL that is loaded will do
        answer = ike_sa.request(GSA_AUTH, ike_sa.certified(SLOW, KEY_SERVER, credential)
                                + [BLUE])
        check(answer.bodies(KD), f"not granted: {answer.kinds()}, {answer.errors()}")
        os.unlink(crl_path())
        lab.run("sr", "swanctl", "--load-creds", "--clear", "--noprompt")
        await_log(lab, "sr", "charon", "fetching crl from 'file:///run/crl.fifo'")
        try:
            ike_sa.request(INFORMATIONAL, [])
            check(lab.registration(SLOW), "it is not registered any more")
        finally:
            # fails if nobody reads
            os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))


if __name__ == "__main__":
    main()
