#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: two-groups
#
# The charons of the S/R and of site3 between gcksds that are both the test's own (standins.py).
"""What a member's charon holds of a group after registrations, rekeys, Deletes, and tells gcksd."""

import contextlib
import time

from harness import case, check, main, wait_until
from local_protocol import VALUES
from standins import (EXCLUDED, LOST, PAIRWISE, RED, REGISTERED, STEP_S, Member, key_server,
                      spis_of)
from topology.errors import LabError

SITE, IDENTITY = "site3", "site3.red.example"
ROUNDS = 40


def both(lab):
    server = key_server(lab)
    if not hasattr(lab, "standin"):
        lab.standin = Member(lab, SITE, server)
    return server, lab.standin


def joined(lab, **fields):
    """(key server, member, its SAs of the group, where its messages of this case begin)"""
    server, member = both(lab)
    member.leave()
    # the IKE_SA is closed, or the group at least left
    server.drain()
    after = len(member.received)
    member.join(**fields)
    sas = server.sas[RED]
    member.await_spis([sas.made[-1]["spi"]], after)
    return server, member, sas, after


def rekey(server, member, sas, **fields):
    """Registered members acknowledge; the new SA."""
    new = sas.new()
    number = server.rekey(server.ike_sa_of(IDENTITY), group_sa=sas.group_sa([new], **fields))
    done = server.done(number, member.drain)
    check(done["ok"], f"{done}")
    return new


@case("a rekey comes behind what is held, with its own delays and age")
def appended(lab):
    server, member, sas, after = joined(lab)
    first = sas.made[-1]
    time.sleep(0.5)  # its age is to be told from that of the next
    second = rekey(server, member, sas, activation_delay_s=7, deactivation_delay_s=9)
    found = member.await_spis([first["spi"], second["spi"]], after)["group_sa"]
    ages = [sa["age_ms"] for sa in found["data_sa"]]
    check(ages[0] >= ages[1] + 500 and ages[1] < 30000, f"ages {ages}")
    check([sa["key"] for sa in found["data_sa"]] == [first["key"], second["key"]], "other keys")
    check([(sa["activation_delay_s"], sa["deactivation_delay_s"]) for sa in found["data_sa"]]
          == [(0, 10), (7, 9)], f"delays {found}")
    check(all(sa["sequence_numbers"] == PAIRWISE and sa["lifetime_s"] == 3600
              for sa in found["data_sa"]), f"{found}")
    # the Sender-ID is the one of the registration
    check(found["sender_id"] == [sas.sender_ids - 1] and found["sender_id_bits"] == 16, f"{found}")
    # told once more, it is the same, and no younger
    number = server.rekey(server.ike_sa_of(IDENTITY), group_sa=sas.group_sa([second]))
    check(server.done(number, member.drain)["ok"], "not acknowledged")
    last = member.bodies("membership")[-1]
    check(spis_of(last) == [first["spi"], second["spi"]], f"{spis_of(last)}")
    check(last["group_sa"]["data_sa"][1]["activation_delay_s"] == 7, "another delay")


@case("a member that leaves and joins again at once keeps the IKE_SA, if it registers over it")
def joined_again(lab):
    for turn in range(ROUNDS):
        server, member, sas, _ = joined(lab)
        member.leave()
        # the next is one that the member brings up, and closes when it leaves
        with contextlib.suppress(LabError):
            lab.run(SITE, "swanctl", "--terminate", "--ike", RED, "--force")
        after = len(member.received)
        member.join()
        member.await_spis([sas.made[-1]["spi"]], after)
        member.send("leave", group=RED)
        time.sleep(turn / 8000)     # the departure takes some milliseconds
        after = len(member.received)
        member.join()
        member.await_spis([sas.made[-1]["spi"]], after)
        rekey(server, member, sas)
        lost = [body for name, body in member.received[after:]
                if name == "membership" and body["state"] == LOST]
        check(not lost, f"{lost}")


@case("when it leaves for good the IKE_SA goes, though it had left and joined again over it")
def closed(lab):
    server, member, sas, _ = joined(lab)
    after = len(member.received)
    member.send("leave", group=RED)
    member.join()
    member.await_spis([sas.made[-1]["spi"]], after)
    member.leave()
    wait_until(lambda: "red:" not in lab.run(SITE, "swanctl", "--list-sas"), STEP_S,
               "the IKE_SA is closed", diagnose=lambda: server.drain())


@case("SAs that gcksd uses no more are forgotten; without any the member registers again")
def retired(lab):
    server, member, sas, after = joined(lab)
    first = sas.made[-1]
    second = rekey(server, member, sas)
    member.await_spis([first["spi"], second["spi"]], after)
    member.send("retire_sa", group=RED, spi=first["spi"])
    member.await_spis([second["spi"]], after)
    after = len(member.received)
    member.send("retire_sa", group=RED, spi=second["spi"])
    # the key server still gives the same one
    found = member.await_spis([second["spi"]], after)["group_sa"]
    check(found["data_sa"][0]["age_ms"] < 30000, f"{found}")


@case("a Delete takes one SA away; one of all ends the membership, which begins again")
def deleted(lab):
    server, member, sas, after = joined(lab)
    first = sas.made[-1]
    second = rekey(server, member, sas)
    number = server.rekey(server.ike_sa_of(IDENTITY), delete_spi=[first["spi"], 0x12345678])
    check(server.done(number, member.drain)["ok"], "not acknowledged")
    member.await_spis([second["spi"]], after)
    after = len(member.received)
    number = server.rekey(server.ike_sa_of(IDENTITY), delete_all=True)
    check(server.done(number, member.drain)["ok"], "not acknowledged")
    member.await_membership(EXCLUDED, after=after)
    member.await_spis([second["spi"]], after)


@case("what comes with its successor stays until that one is in use: gcksd retires it")
def replaced(lab):
    server, member, sas, after = joined(lab)
    first, second = sas.made[-1], sas.new()
    number = server.rekey(server.ike_sa_of(IDENTITY), group_sa=sas.group_sa([second]),
                          delete_spi=[first["spi"]])
    check(server.done(number, member.drain)["ok"], "not acknowledged")
    member.await_spis([first["spi"], second["spi"]], after)


@case("EndRegistration excludes the member; it registers again after a while")
def excluded(lab):
    server, member, sas, after = joined(lab)
    server.send("end_registration", ike_sa=server.ike_sa_of(IDENTITY), group=200, group_name=RED,
                reason="the test says so")
    member.await_membership(EXCLUDED, after=after)
    after = len(member.received)
    member.await_spis([sas.made[-1]["spi"]], after)


@case("a wish to register again is one registration more over the same IKE_SA")
def renewed(lab):
    server, member, sas, after = joined(lab, renew=3)
    ike_sa, first = server.ike_sa_of(IDENTITY), sas.made[-1]
    asked = len(server.bodies("registration_request"))
    after = len(member.received)
    member.join(renew=4)
    found = member.await_membership(
        REGISTERED, lambda body: len(body["group_sa"]["sender_id"]) == 2, after)["group_sa"]
    check(server.ike_sa_of(IDENTITY) == ike_sa, "over another IKE_SA")
    check(len(server.bodies("registration_request")) == asked + 1, "not one registration")
    # the SA is the same, and no younger; the new Sender-ID is the last
    check(spis_of({"group_sa": found}) == [first["spi"]], f"{found}")
    check(found["sender_id"] == [sas.sender_ids - 2, sas.sender_ids - 1], f"{found}")
    # the same wish again, and a gcksd that counts from the beginning, are none
    for number in (4, 0):
        member.join(renew=number)
    member.settle()
    server.drain()
    check(len(server.bodies("registration_request")) == asked + 1, "registered without a wish")
    # a refusal takes nothing away
    server.verdict[RED] = 49
    after = len(member.received)
    member.join(renew=1)
    found = member.await_membership(REGISTERED, lambda body: "REGISTRATION_FAILED" in body["text"],
                                    after)["group_sa"]
    check(spis_of({"group_sa": found}) == [first["spi"]], f"{found}")
    check(server.ike_sa_of(IDENTITY) == ike_sa, "over another IKE_SA")
    del server.verdict[RED]
    # another SA takes the place of those that are held
    new = sas.new()
    after = len(member.received)
    member.join(renew=2)
    found = member.await_spis([new["spi"]], after)["group_sa"]
    check(found["sender_id"] == [sas.sender_ids - 1], f"{found}")


@case("SAs that cannot be used: the key server is told before the member registers again")
def not_acceptable(lab):
    server, member, sas, after = joined(lab)
    seen, ike_sa = len(server.received), server.ike_sa_of(IDENTITY)
    new = sas.new()
    member.join(renew=1, not_acceptable=True)
    ended = server.await_message(
        "registration_ended", lambda ended: ended["ike_sa"] == ike_sa, seen, member.drain)
    check(ended["reason"] == VALUES["END_NOT_ACCEPTABLE"] and ended["group"] == 200, f"{ended}")
    member.await_spis([new["spi"]], after)
    names = [name for name, _ in server.received[seen:]
             if name in ("registration_ended", "registration_request")]
    check(names == ["registration_ended", "registration_request"], f"{names}")


def states_since(member, after):
    return [body["state"] for name, body in member.received[after:] if name == "membership"]


@case("the IKE_SA is rekeyed, by either side: the group stays, and its next rekey arrives")
def ike_rekey(lab):
    server, member, sas, after = joined(lab)
    first = len(member.received)
    for node in (SITE, "sr"):
        seen, old = len(server.received), ike_sa_now(server)
        lab.run(node, "swanctl", "--rekey", "--ike", "red")
        moved = server.await_message("ike_sa_rekeyed", lambda body, old=old:
                                     body["old_ike_sa"] == old, seen, member.drain)
        new = sas.new()
        number = server.rekey(moved["new_ike_sa"], group_sa=sas.group_sa([new]))
        check(server.done(number, member.drain)["ok"], "not acknowledged")
        member.await_membership(REGISTERED, lambda body, spi=new["spi"]: spis_of(body)[-1] == spi,
                                after)
        check(not [body for name, body in server.received[seen:]
                   if name == "registration_ended" and body["ike_sa"] == old],
              "the registration ended")
    check(set(states_since(member, first)) == {REGISTERED}, f"{states_since(member, first)}")


def ike_sa_now(server):
    """Of the member, after all rekeys."""
    number = server.ike_sa_of(IDENTITY)
    for body in server.bodies("ike_sa_rekeyed"):
        if body["old_ike_sa"] == number:
            number = body["new_ike_sa"]
    return number


@case("rekeys of the group and of the IKE_SA at the same time: none is lost, each is told once")
def collision(lab):
    server, member, sas, after = joined(lab)
    for turn in range(20):
        numbers = []
        # in odd turns both sides rekey the IKE_SA, which is a collision of its own
        for node in (SITE, "sr") if turn % 2 else (SITE,):
            numbers.append(server.rekey(ike_sa_now(server), group_sa=sas.group_sa([sas.new()])))
            lab.run(node, "swanctl", "--rekey", "--ike", "red", check=False)
            numbers.append(server.rekey(ike_sa_now(server), group_sa=sas.group_sa([sas.new()])))
        for number in numbers:
            done = server.done(number, member.drain)
            check(done["ok"], f"turn {turn}: {done}")
    check(server.bodies("ike_sa_rekeyed"), "the IKE_SA was never rekeyed")
    found = member.await_membership(REGISTERED, lambda body: spis_of(body)[-1]
                                    == sas.made[-1]["spi"], after)
    # as many as a member holds of a group
    check(spis_of(found) == [sa["spi"] for sa in sas.made[-8:]], f"{spis_of(found)}")


@case("the IKE_SA ends: the SAs stay in use, as old as they are, until the next registration")
def ike_sa_lost(lab):
    server, member, sas, after = joined(lab)
    first = sas.made[-1]
    second = rekey(server, member, sas, activation_delay_s=6)
    member.await_spis([first["spi"], second["spi"]], after)
    seen, after, old = len(server.received), len(member.received), ike_sa_now(server)
    # as libcharon does it when an IKE_SA without CHILD_SA is too old: it cannot be reauthenticated
    lab.run(SITE, "swanctl", "--terminate", "--ike", "red", "--timeout", "-1")
    ended = server.await_message("registration_ended", lambda body: body["ike_sa"] == old, seen,
                                 member.drain)
    check(ended["reason"] == VALUES["END_IKE_SA_DOWN"], f"{ended}")
    member.await_membership(LOST, after=after)
    found = member.await_spis([second["spi"]], after)["group_sa"]
    check(found["data_sa"][0]["activation_delay_s"] == 6, f"{found}")
    check(set(states_since(member, after)) == {LOST, REGISTERED}, f"{states_since(member, after)}")


@case("key servers are tried in their order; one that cannot be reached is passed over")
def connections(lab):
    server, member, sas, after = joined(lab, connections=["nowhere", RED])
    found = member.bodies("membership")[-1]
    check(found["connection"] == RED, f"{found['connection']}")
    tried = [body["connection"] for name, body in member.received[after:] if name == "membership"]
    check(tried[0] == "nowhere", f"tried {tried}")
    # one that says that it is in trouble, too, and the list goes round
    server.verdict[RED] = 49
    after = len(member.received)
    lab.run(SITE, "swanctl", "--terminate", "--ike", RED, "--force")
    member.await_membership(LOST, lambda body: body["notify"] == 49, after)
    seen = len(member.received)
    member.await_message("membership", lambda body: body["connection"] == "nowhere", seen,
                         server.drain)
    del server.verdict[RED]
    member.await_spis([sas.made[-1]["spi"]], seen)


if __name__ == "__main__":
    main()
