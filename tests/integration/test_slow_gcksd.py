#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: two-groups
#
# The S/R's charon with a gcksd of the test's own, which takes its time, and members in Python from
# site2's network (standins.py).
"""charon waits for gcksd's answers with no thread and no IKE_SA, and not for ever."""

import contextlib
import struct
import time

import gikev2
from harness import case, check, main, wait_until
from ikev2 import (AUTH, GSA, GSA_AUTH, GSA_REGISTRATION, ID_KEY_ID, IDG, INFORMATIONAL, KD,
                   identification, notify)
from local_protocol import VALUES
from standins import IDENTIFIERS, KEY_SERVER, PROBE, RED, SECRET, STEP_S, Probe, key_server

MANY = 20   # charon has 16 worker threads
REGISTRATION_FAILED = 49
NOT_DELIVERED = VALUES["END_NOT_DELIVERED"]
REQUEST = [(IDG, identification(ID_KEY_ID, RED)),
           notify(gikev2.GROUP_SENDER, struct.pack(">I", 1))]


@contextlib.contextmanager
def holding(lab):
    """(gcksd, the questions that it does not answer)"""
    server, held = key_server(lab), []
    server.handlers["registration_request"] = held.append
    try:
        yield server, held
    finally:
        server.handlers["registration_request"] = server.answer


def ask(ike_sa, exchange, payloads):
    """Sends the request, and once more; waits for nothing."""
    packet = ike_sa.encrypted(exchange, payloads)
    ike_sa.socket.send(packet)
    ike_sa.socket.send(packet)
    ike_sa.message_id += 1
    return ike_sa.message_id - 1


def answer_to(ike_sa, number):
    deadline = time.monotonic() + STEP_S
    message = ike_sa.receive(deadline)
    while message and message.message_id != number:
        message = ike_sa.receive(deadline)
    check(message, f"no answer to Message ID {number}")
    return message


def await_questions(server, held, count):
    wait_until(lambda: server.drain() or len(held) >= count, STEP_S, f"{count} questions",
               diagnose=lambda: held)


def registered_of(lab):
    """charon's registrations of the probe, in its log."""
    return len(lab.log_lines("sr", "charon", f"{PROBE} registered with group {RED}"))


def not_delivered(server, ike_sa):
    return server.bodies("registration_ended", lambda ended: ended["reason"] == NOT_DELIVERED
                         and ended["ike_sa"] == ike_sa and ended["group"] == IDENTIFIERS[RED])


@case("more registrations wait than charon has threads: it serves others, and then all of them")
def many_wait(lab):
    server = key_server(lab)
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(Probe(lab, server).establish(PROBE, KEY_SERVER, SECRET))
                   for _ in range(MANY)]
        other = stack.enter_context(Probe(lab, server).establish(PROBE, KEY_SERVER, SECRET))
        _, held = stack.enter_context(holding(lab))
        numbers = [ask(ike_sa, GSA_REGISTRATION, REQUEST) for ike_sa in waiting]
        await_questions(server, held, MANY)
        other.request(INFORMATIONAL, [])
        check(len(held) == MANY, f"{len(held)} questions: a retransmission was taken for a request")
        for question in held:
            server.answer(question)
        for ike_sa, number in zip(waiting, numbers):
            answer = answer_to(ike_sa, number)
            check(answer.bodies(KD), f"not granted: {answer.kinds()}, {answer.errors()}")
            ike_sa.request(INFORMATIONAL, [])   # it goes on with the next Message ID
        server.drain()
        check(not server.bodies("registration_ended",
                                lambda ended: ended["reason"] == NOT_DELIVERED),
              "what was delivered is told as not delivered")


@case("no answer within a second: REGISTRATION_FAILED; a grant that comes then is not delivered")
def too_late(lab):
    server = key_server(lab)
    with Probe(lab, server).establish(PROBE, KEY_SERVER, SECRET) as ike_sa, \
            holding(lab) as (_, held):
        before = registered_of(lab)
        answer = answer_to(ike_sa, ask(ike_sa, GSA_REGISTRATION, REQUEST))
        check(answer.errors() == [REGISTRATION_FAILED] and not answer.bodies(KD),
              f"{answer.kinds()}, errors {answer.errors()}")
        check(len(held) == 1, f"questions {held}")
        number = held[0]["peer"]["ike_sa"]
        server.answer(held[0])
        wait_until(lambda: server.drain() or not_delivered(server, number), STEP_S,
                   "gcksd is told that it was not delivered", diagnose=lambda: server.received[-3:])
        check(registered_of(lab) == before, "charon holds a registration that was refused")


@case("the IKE_SA ends while gcksd is asked: a grant that comes then is not delivered")
def ike_sa_ends(lab):
    server = key_server(lab)
    with Probe(lab, server).establish(PROBE, KEY_SERVER, SECRET) as ike_sa, \
            holding(lab) as (_, held):
        ask(ike_sa, GSA_REGISTRATION, REQUEST)
        await_questions(server, held, 1)
        number = held[0]["peer"]["ike_sa"]
        ended = len(lab.log_lines("sr", "charon", f"deleting IKE_SA red[{number}]"))
        lab.run("sr", "swanctl", "--terminate", "--ike-id", str(number), "--timeout", "-1")
        wait_until(lambda: ike_sa.turn() or ike_sa.closed, STEP_S, "the IKE_SA ends")
        check(len(lab.log_lines("sr", "charon", f"deleting IKE_SA red[{number}]")) > ended,
              "another IKE_SA ended")
        server.answer(held[0])
        wait_until(lambda: server.drain() or not_delivered(server, number), STEP_S,
                   "gcksd is told that it was not delivered", diagnose=lambda: server.received[-3:])


@case("GSA_AUTH waits alike: with the answer, authenticated and granted; without, refused")
def gsa_auth(lab):
    server = key_server(lab)
    for in_time in (True, False):
        with Probe(lab, server).init() as ike_sa, holding(lab) as (_, held):
            number = ask(ike_sa, GSA_AUTH,
                         ike_sa.authentication(PROBE, KEY_SERVER, SECRET) + REQUEST)
            await_questions(server, held, 1)
            if in_time:
                server.answer(held[0])
            answer = answer_to(ike_sa, number)
            check(answer.exchange == GSA_AUTH and answer.bodies(AUTH),
                  f"exchange {answer.exchange}, payloads {answer.kinds()}")
            ike_sa.check_peer(answer, SECRET)
            granted = bool(answer.bodies(GSA) and answer.bodies(KD))
            check(granted == in_time, f"payloads {answer.kinds()}")
            check(answer.errors() == ([] if in_time else [REGISTRATION_FAILED]),
                  f"errors {answer.errors()}")
            check(len(held) == 1, f"questions {held}")
            ike_sa.request(INFORMATIONAL, [])


if __name__ == "__main__":
    main()
