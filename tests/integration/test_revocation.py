#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: two-groups
#
#   blue (certificates): site1 site2 site3, and a member of another make: an IKEv2 initiator in
#   Python, from site2's network.
"""A registered member whose certificate is revoked, or expires, loses its registration and its
IKE_SA; the others stay.
"""

import contextlib
import os
import time

from cryptography import x509

import certificates
import gikev2
from harness import case, check, main, wait_until
from ikev2 import DELETE, GSA_AUTH, ID_KEY_ID, IDG, INFORMATIONAL, KD, identification
from observe import await_log, check_reachability
from probe import initiator
from revocation_server import RevocationServer, crl

SITE, IDENTITY = "site1", "site1.blue.example"
OTHERS = ("site2.blue.example", "site3.blue.example")
AUTHENTICATION_FAILED = 24
PROBE, SLOW, KEY_SERVER = "probe.blue.example", "slow.blue.example", "sr.blue.example"
BLUE = (IDG, identification(ID_KEY_ID, "blue"))
STEP_S = 60
# charon.plugins.gsa.revalidate
PERIOD_S = 60
LIFE_S = 25
DAY_S = 86400
ANSWER_S = 5
FETCHED, QUERIED = "fetched.blue.example", "queried.blue.example"


def crl_path():
    return os.path.join(os.environ["LAB_RUN"], "sr/etc/swanctl/x509crl/blue.crl")


def publish(lab, number, *serials):
    """A CRL of blue's CA, loaded by the S/R as its operator would do it."""
    os.makedirs(os.path.dirname(crl_path()), exist_ok=True)
    with open(crl_path(), "wb") as file:
        file.write(crl(certificates.Authority("blue"), number, serials, DAY_S))
    lab.run("sr", "swanctl", "--load-creds", "--noprompt")


def provider_address(lab):
    """Where the S/R reaches the provider."""
    for interface in lab.topology.nodes["provider"].interfaces:
        if lab.topology.key_server.address in interface.address.network:
            return interface.address.ip
    raise AssertionError("the S/R is not at the provider")


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
    await_log(lab, "sr", "gcksd", f"{IDENTITY} ended: its certificate is revoked")
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


def authenticated(lab, ike_sa, identity, credential):
    """The answer to a GSA_AUTH for blue."""
    return ike_sa.request(GSA_AUTH, ike_sa.certified(identity, KEY_SERVER, credential) + [BLUE])


def excluded(ike_sa):
    """After what has come; it is answered here."""
    while ike_sa.receive(time.monotonic() + 0.001):
        pass
    return any(body[0] == gikev2.GIKE_UPDATE for request in ike_sa.requests
               for body in request.bodies(DELETE))


@case("CRL and OCSP server of a certificate are asked over HTTP, again and again: revoked is out")
def asked(lab):
    # none that is loaded would do
    with contextlib.suppress(FileNotFoundError):
        os.unlink(crl_path())
    lab.run("sr", "swanctl", "--load-creds", "--clear", "--noprompt")
    authority = certificates.Authority("blue")
    with RevocationServer("provider", provider_address(lab), authority, ANSWER_S) as server, \
            initiator(lab).init() as first, initiator(lab).init() as second:
        members = {
            FETCHED: (first, authority.issue(FETCHED, crl_uri=server.uri("blue.crl"))),
            QUERIED: (second, authority.issue(QUERIED, ocsp_uri=server.uri("ocsp")))}
        serials = {identity: server.knows(credential)
                   for identity, (_, credential) in members.items()}
        for identity, (ike_sa, credential) in members.items():
            answer = authenticated(lab, ike_sa, identity, credential)
            check(answer.bodies(KD), f"{identity}: {answer.kinds()}, {answer.errors()}")
            check(lab.registration(identity), f"{identity} is not registered")
        check(server.crls and server.queries,
              f"{server.crls} CRLs and {server.queries} OCSP answers were asked for")
        server.revoked = set(serials.values())
        wait_until(lambda: [excluded(first), excluded(second)] == [True, True],
                   PERIOD_S + ANSWER_S + STEP_S, "both are told that they are out")
        for identity, (_, credential) in members.items():
            wait_until(lambda identity=identity: not lab.registration(identity), STEP_S,
                       f"the end of {identity}")
            await_log(lab, "sr", "gcksd", identity, "its certificate is revoked")
            with initiator(lab).init() as again:
                answer = authenticated(lab, again, identity, credential)
                check(answer.errors() == [AUTHENTICATION_FAILED] and not answer.bodies(KD),
                      f"{identity} again: {answer.kinds()}, {answer.errors()}")
                again.closed = True
    check_reachability(lab)


if __name__ == "__main__":
    main()
