#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: two-groups
#
# The charons of the S/R and, after that, of site3, each between a gcksd and a peer that are the
# test's own (standins.py, member_pair.py).
"""What is under way while an IKE_SA is rekeyed goes on over the new one. One that a thread holds
does not hold up what is to be done with the others.
"""

import contextlib
import struct
import threading
import time

import gikev2
from harness import case, check, main, wait_until
from ikev2 import (DELETE, GSA_INBAND_REKEY, GSA_REGISTRATION, ID_KEY_ID, IDG, INITIATOR, KD,
                   RESPONSE, identification, notify)
from member_pair import FIRST, Pair
from key_server import granted, key_download, policy
from standins import (IDENTIFIERS, KEY_SERVER, LOST, PROBE, RED, SECRET, STEP_S, Probe, key_server,
                      registered)

REGISTRATION = [(IDG, identification(ID_KEY_ID, RED)),
                notify(gikev2.GROUP_SENDER, struct.pack(">I", 1))]
BUSY, ROUNDS, MEANWHILE_S = 10, 12, 0.1


@contextlib.contextmanager
def asking(server):
    """Requests to register, which wait until the test gives them to server.answer()."""
    asked, answer = [], server.handlers["registration_request"]
    server.handlers["registration_request"] = asked.append
    try:
        yield asked
    finally:
        server.handlers["registration_request"] = answer


@case("a rekey does not wait for IKE_SAs whose members wait for gcksd")
def busy(lab):
    with registered(lab) as (server, ike_sa), contextlib.ExitStack() as stack:
        others = [stack.enter_context(Probe(lab, server).establish(PROBE, KEY_SERVER, SECRET))
                  for _ in range(BUSY)]
        number = server.ike_sa_of(PROBE)
        with asking(server) as asked:
            for other in others:
                other.send_request(GSA_REGISTRATION, REGISTRATION)
            wait_until(lambda: server.drain() or len(asked) == BUSY, STEP_S, "all ask")
            server.rekey(number, group_sa=server.sas[RED].group_sa([server.sas[RED].new()]))
            wait_until(lambda: ike_sa.turn() or ike_sa.rekeys(), STEP_S, "the rekey")
            for request in asked:
                server.answer(request)
        # charon gives up on gcksd after a second: a rekey that waited for them comes after that
        answers = [other.transmit(other.encrypted(GSA_REGISTRATION, REGISTRATION))
                   for other in others]
        check(any(answer.bodies(KD) for answer in answers),
              "the rekey came when all the others had been refused")


def excludes(request):
    return request.exchange == GSA_INBAND_REKEY and any(
        body[0] == gikev2.GIKE_UPDATE for body in request.bodies(DELETE))


@case("a registration that is ended while its IKE_SA is rekeyed is ended over one of the two")
def ended(lab):
    server = key_server(lab)
    for turn in range(ROUNDS):
        with Probe(lab, server).establish(PROBE, KEY_SERVER, SECRET) as old:
            with asking(server) as asked:
                old.send_request(GSA_REGISTRATION, REGISTRATION)
                wait_until(lambda: server.drain() or asked, STEP_S, "it asks")
                end = {"ike_sa": asked[0]["peer"]["ike_sa"], "group": IDENTIFIERS[RED],
                       "group_name": RED, "reason": "the test says so"}

                def grant_and_end(request=asked[0], end=end, later=turn % 4 * MEANWHILE_S):
                    server.answer(request)
                    time.sleep(later)
                    server.send("end_registration", **end)

                # the rekey has to wait until the registration is answered
                threading.Timer(MEANWHILE_S, grant_and_end).start()
                old.message_id += 1
                with old.rekey() as new:
                    wait_until(lambda: new.turn() or any(
                        excludes(request) for request in old.requests + new.requests), STEP_S,
                        "the Deletes", diagnose=lambda: (old.requests, new.requests))


@case("a rekey that a member refuses over the IKE_SA of before is sent again over the new one")
def refused(lab):
    with registered(lab) as (server, old):
        sas, old.answer = server.sas[RED], None
        number = server.rekey(server.ike_sa_of(PROBE), group_sa=sas.group_sa([sas.new()]))
        wait_until(lambda: old.turn() or old.rekeys(), STEP_S, "the rekey")
        with old.rekey() as new:
            new.answer = []
            old.socket.send(old.encrypted(
                GSA_INBAND_REKEY, [notify(gikev2.REGISTRATION_FAILED)], INITIATOR | RESPONSE,
                old.rekeys()[0].message_id))
            done = server.done(number, new.turn)
            check(done["ok"] and len(new.rekeys()) == 1, f"{done}, {len(new.rekeys())} rekeys")


@case("a member whose registration is answered over the IKE_SA of before is there over the new one")
def answered_late(lab):
    both = Pair(lab)
    old, after, new = both.server, len(both.member.received), []

    def grant(ike_sa, request):
        if not new:
            new.append(None)    # it asks once more while it waits
            new[0] = old.rekey()
        return Pair.grant(both, ike_sa, request) if new[0] else None
    both.key_server.answer = grant
    both.member.join(renew=1)
    both.wait(lambda: both.held(after), "another registration")
    old.delete()
    both.server = new[0]
    spi = FIRST + 0x10000
    errors = both.ask(granted(policy(spi), key_download({spi: bytes(range(36))},
                                                        both.server.group_key_wrap_key())))
    check(not errors, f"a rekey over the new IKE_SA is refused: {errors}")
    both.wait(lambda: both.held(after) == [FIRST, spi], "the rekey's SA")
    lost = [body for name, body in both.member.received[after:]
            if name == "membership" and body["state"] == LOST]
    check(not lost, f"{lost}")


if __name__ == "__main__":
    main()
