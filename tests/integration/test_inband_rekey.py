#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: two-groups
#
# The S/R's charon between a gcksd and a member that are both the test's own (standins.py).
"""Rekeys in band, the key server's side: what goes over the wire, and what gcksd is told."""

import struct

import gikev2
from harness import case, check, main, wait_until
from ikev2 import DELETE, GSA, GSA_REGISTRATION, ID_KEY_ID, IDG, KD, identification, notify
from local_protocol import VALUES
from standins import BLUE, GCM, PAIRWISE, PROBE, RED, STEP_S, register, registered


def content(ike_sa, request):
    """(policies, {SPI: key}, group-wide attributes, Deletes) of a rekey, decoded strictly."""
    data_sas, group_wide, keys = [], None, {}
    check(request.kinds().count(GSA) == request.kinds().count(KD) <= 1,
          f"payloads {request.kinds()}")
    if GSA in request.kinds():
        data_sas, group_wide = gikev2.policy(request.bodies(GSA)[0])
        keys, member = gikev2.key_download(request.bodies(KD)[0], ike_sa.group_key_wrap_key())
        check(member is None, f"a rekey has a member key bag: {member}")
        check([spi for spi, _, _ in data_sas] == list(keys), f"{data_sas} and keys of {list(keys)}")
    deletes = {body[0]: body[1:] for body in request.bodies(DELETE)}
    return data_sas, keys, dict(group_wide or []), deletes


@case("a rekey is an exchange 42 with GSA and KD as the RFC draws them; its answer is told once")
def layout(lab):
    with registered(lab) as (server, ike_sa):
        sas = server.sas[RED]
        new = sas.new()
        number = server.rekey(server.ike_sa_of(PROBE), group_sa=sas.group_sa(
            [new], activation_delay_s=5, deactivation_delay_s=10))
        done = server.done(number, ike_sa.turn)
        check(done["ok"] and not done["text"], f"{done}")
        check(len(ike_sa.rekeys()) == 1, f"{len(ike_sa.rekeys())} rekeys")
        request = ike_sa.rekeys()[0]
        data_sas, keys, group_wide, deletes = content(ike_sa, request)
        check(keys == {new["spi"]: new["key"]}, "not the key that gcksd gave")
        check(data_sas[0][1] == {gikev2.ENCR: (GCM, [(14, 256)]), gikev2.SN: (PAIRWISE, [])},
              f"transforms {data_sas[0][1]}")
        # activation and deactivation delay; the Sender-ID bits are barred (RFC 9838 §5)
        check(group_wide == {1: 5, 2: 10} and not deletes, f"{group_wide}, {deletes}")
        check(request.notifies() == {gikev2.USE_TRANSPORT_MODE: b"",
                                     gikev2.GROUP_IDENTIFIER: struct.pack(">I", 200)},
              f"notifies {request.notifies()}")
        check(IDG not in request.kinds(), "IDg over an IKE_SA of one group")


@case("an error notify of the member is told, and harms nothing")
def refused(lab):
    with registered(lab) as (server, ike_sa):
        ike_sa.answer = [notify(gikev2.NO_PROPOSAL_CHOSEN)]
        number = server.rekey(server.ike_sa_of(PROBE),
                              group_sa=server.sas[RED].group_sa([server.sas[RED].new()]))
        done = server.done(number, ike_sa.turn)
        check(not done["ok"] and "14" in done["text"], f"{done}")
        ike_sa.answer = []
        number = server.rekey(server.ike_sa_of(PROBE),
                              group_sa=server.sas[RED].group_sa(server.sas[RED].made[-1:]))
        check(server.done(number, ike_sa.turn)["ok"], "the next one failed too")


@case("a request is sent again until it is answered, octet for octet, and one after the other")
def retransmission(lab):
    with registered(lab) as (server, ike_sa):
        packets, ike_sa.answer = [], None
        take = ike_sa.decrypt

        def decrypt(packet):
            packets.append(packet)
            return take(packet)
        ike_sa.decrypt = decrypt
        sas = server.sas[RED]
        numbers = [server.rekey(server.ike_sa_of(PROBE), group_sa=sas.group_sa([sas.new()]))
                   for _ in range(2)]
        wait_until(lambda: ike_sa.turn() or len(packets) > 2, STEP_S, "a retransmission")
        check(len(set(packets)) == 1, f"{len(set(packets))} different packets of {len(packets)}")
        check(not server.bodies("rekey_done", lambda done: done["request"] in numbers),
              "done without an answer")
        ike_sa.answer = []
        for number in numbers:
            check(server.done(number, ike_sa.turn)["ok"], "not acknowledged")
        check([list(content(ike_sa, request)[1]) for request in ike_sa.rekeys()]
              == [[sa["spi"]] for sa in sas.made[-2:]], "not in the order that gcksd said")


@case("a member that never answers: its IKE_SA ends, and all that waited is told once")
def unanswered(lab):
    with registered(lab) as (server, ike_sa):
        ike_sa.answer, sas = None, server.sas[RED]
        number = server.ike_sa_of(PROBE)
        numbers = [server.rekey(number, group_sa=sas.group_sa([sas.new()])) for _ in range(3)]
        for request in numbers:
            check(not server.done(request, ike_sa.turn)["ok"], "acknowledged")
        server.await_message("registration_ended", lambda ended: ended["ike_sa"] == number)
        # and now there is no such IKE_SA at all
        done = server.done(server.rekey(number, delete_all=True))
        check(not done["ok"] and "gone" in done["text"], f"{done}")
        ike_sa.closed = True


@case("over an IKE_SA of two groups IDg says which one is meant; Deletes say what shall go")
def two_groups(lab):
    with registered(lab, RED, BLUE) as (server, ike_sa):
        number, sas = server.ike_sa_of(PROBE, BLUE), server.sas
        new = sas[BLUE].new()
        check(server.done(server.rekey(number, BLUE, group_sa=sas[BLUE].group_sa([new]),
                                       delete_spi=[sas[BLUE].made[0]["spi"]]),
                          ike_sa.turn)["ok"], "not acknowledged")
        check(server.done(server.rekey(number, RED, delete_all=True), ike_sa.turn)["ok"],
              "not acknowledged")
        with_sa, without = ike_sa.rekeys()
        _, keys, _, deletes = content(ike_sa, with_sa)
        check(keys == {new["spi"]: new["key"]}, "not the key that gcksd gave")
        check(with_sa.bodies(IDG) == [identification(ID_KEY_ID, BLUE)], f"{with_sa.bodies(IDG)}")
        check(deletes == {gikev2.ESP: struct.pack(">BHI", 4, 1, sas[BLUE].made[0]["spi"])},
              f"Deletes {deletes}")
        _, keys, _, deletes = content(ike_sa, without)
        check(not keys and deletes == {gikev2.ESP: struct.pack(">BHI", 4, 1, 0)},
              f"Deletes {deletes}")
        check(without.bodies(IDG) == [identification(ID_KEY_ID, RED)], f"{without.bodies(IDG)}")


@case("what cannot be sent is told at once: no registration, nothing to say, Sender-IDs")
def impossible(lab):
    with registered(lab) as (server, ike_sa):
        number, sas = server.ike_sa_of(PROBE), server.sas[RED]
        for group, fields in ((BLUE, {"delete_all": True}), (RED, {}),
                              (RED, {"group_sa": sas.group_sa([])}),
                              (RED, {"group_sa": sas.group_sa([sas.new()], registration=True)}),
                              (RED, {"group_sa": sas.group_sa([{**sas.new(), "key": b"short"}])}),
                              (RED, {"delete_spi": list(range(256, 2000))})):
            done = server.done(server.rekey(number, group, **fields), ike_sa.turn)
            check(not done["ok"] and done["text"], f"{done}")
        check(not ike_sa.rekeys(), f"{len(ike_sa.rekeys())} rekeys came")
        check(server.done(server.rekey(number, group_sa=sas.group_sa([sas.new()])),
                          ike_sa.turn)["ok"], "what can be sent fails too")


@case("a gcksd that comes back hears of each registration what was given over it")
def resynchronisation(lab):
    with registered(lab) as (server, ike_sa):
        sas = server.sas[RED]
        register(ike_sa, RED)
        new = sas.new()
        number = server.ike_sa_of(PROBE)
        check(server.done(server.rekey(number, group_sa=sas.group_sa([new])), ike_sa.turn)["ok"],
              "not acknowledged")
        # one that is under way is not told to the next gcksd, which did not ask
        ike_sa.answer = None
        server.rekey(number, group_sa=sas.group_sa([sas.new()]))
        wait_until(lambda: ike_sa.turn() or len(ike_sa.rekeys()) == 2, STEP_S, "the rekey")
        server.accept()
        found = server.bodies("registration", lambda body: body["peer"]["identity"] == PROBE)
        check(len(found) == 1, f"registrations {found}")
        check(found[0]["sender_id"] == [sas.sender_ids - 2, sas.sender_ids - 1], f"{found[0]}")
        check(found[0]["spi"] == [sas.made[-1]["spi"]], f"{found[0]}")
        ike_sa.answer = []
        number = server.rekey(number, group_sa=sas.group_sa([sas.new()]))
        check(server.done(number, ike_sa.turn)["ok"], "not acknowledged")
        check(len(server.bodies("rekey_done")) == 1, f"{server.bodies('rekey_done')}")


@case("a member that cannot use the SAs is told to gcksd as such, one that leaves as left")
def departure(lab):
    for kind, reason in ((gikev2.NO_PROPOSAL_CHOSEN, "END_NOT_ACCEPTABLE"),
                         (gikev2.REGISTRATION_FAILED, "END_LEFT")):
        with registered(lab) as (server, ike_sa):
            number = server.ike_sa_of(PROBE)
            answer = ike_sa.request(GSA_REGISTRATION, [(IDG, identification(ID_KEY_ID, RED)),
                                                       notify(kind)])
            check(not answer.payloads, f"{answer.kinds()}")
            ended = server.await_message("registration_ended",
                                         lambda ended: ended["ike_sa"] == number)
            check(ended["reason"] == VALUES[reason] and ended["group"] == 200, f"{ended}")


if __name__ == "__main__":
    main()
