#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: rekey:groups.blue.sender-id-bits=8
#
#   host1 ── site1 ──┐              ┌── site3 ── host3
#                    ├── provider ──┤
#   host2 ── site2 ──┘       │      └── site4 ── host4
#                            sr
#
#   blue (pairwise, Sender-IDs of 8 bits): site1 site2 site3
#   red (one SA for all): site3 site4, site3 over the IKE_SA of blue
#
#   Further members of blue are Python programs at site1's address.
"""A live group whose Sender-IDs run out, members that have used up their shares of them, and a group
that is joined while a member's charon restarts."""

import struct
import time

import gikev2
from harness import case, check, main, wait_until
from ikev2 import GSA_REGISTRATION, notify
from observe import (await_log, check_nothing_clear, check_reachability, converged,
                     still_answering)
from pairs import address, delete, inbound
from pymember import PythonMember, admit
from rekeying import (await_alone, behind, check_no_loss, current_spi, generation, group_states,
                      made, registrations, rekey, spis)
from topology import ping
from topology.capture import Capture

STEP_S = 60
BITS = 8
SHARE = (1 << BITS) // 16
SITES = ("site1", "site2", "site3")


def flows_between(lab, *sites):
    hosts = {host.name for site in sites for host in lab.topology.hosts_behind(site)}
    return [flow for flow in lab.host_flows(reachable=True)
            if {flow.source, flow.target} <= hosts]


def await_flowing(flows):
    wait_until(lambda: all(still_answering(flow) for flow in flows), STEP_S, "all traffic flows",
               diagnose=lambda: [str(flow) for flow in flows if not still_answering(flow)])


def python_member(lab, identity):
    return PythonMember(lab, "site1", "blue", identity, admit(lab, "blue", [identity]))


def sender_ids(lab, site):
    return {state["spi"] & (1 << BITS) - 1 for state in group_states(lab, site, "blue")
            if state["source"] == str(lab.topology.nodes[site].address)}


def ask(member):
    """For more Sender-IDs, so many at a time; what it is told if there are none."""
    more = notify(gikev2.GROUP_SENDER, struct.pack(">I", 8))
    answer = member.ike_sa.request(GSA_REGISTRATION, [member.idg, more])
    if not answer.errors():
        member.keep(answer)
    return answer.errors()


def use_up(lab):
    """One member after the other takes its share, until there is none left: all that they were given
    before, and what was the last one's then."""
    before, given = current_spi(lab, "blue"), []
    identities = [f"greedy{number}.blue.example" for number in range(16)]
    secret = admit(lab, "blue", identities)
    for identity in identities:
        with PythonMember(lab, "site1", "blue", identity, secret) as greedy:
            refused = ask(greedy)
            while not refused and current_spi(lab, "blue") == before:
                count, refused = len(greedy.sender_ids), ask(greedy)
            greedy.leave()
            if current_spi(lab, "blue") != before:
                return given + greedy.sender_ids[:count], greedy.sender_ids[count:]
            check(refused == [gikev2.REGISTRATION_FAILED], f"{identity}: {refused}")
            check(len(greedy.sender_ids) == SHARE, f"{identity}: {greedy.sender_ids}")
            given += greedy.sender_ids
    check(False, f"{len(given)} Sender-IDs were given")
    return given, []


@case("who asks without end is given its share, under whatever name; the group does not notice")
def insider(lab):
    converged(lab)
    before, mine = current_spi(lab, "blue"), [sender_ids(lab, site) for site in SITES]
    secret = admit(lab, "blue", ["insider.blue.example"])
    given = []
    for identity in ("insider.blue.example", "InSider.blue.example", "insider.BLUE.example"):
        with PythonMember(lab, "site1", "blue", identity, secret) as member:
            refused = None
            for _ in range(1 << BITS):
                refused = ask(member)
                if refused:
                    break
            given += member.sender_ids
            check(refused == [gikev2.REGISTRATION_FAILED], f"{identity} was told {refused}")
            check(len(given) == len(set(given)) == SHARE, f"given: {given}")
            member.leave()
    await_log(lab, "sr", "gcksd", "refused insider.blue.example", "its share",
              f"{SHARE} in 24 hours; the next in 90 minutes")
    check(current_spi(lab, "blue") == before, "blue has another SA")
    check([sender_ids(lab, site) for site in SITES] == mine, "the sites send as others")
    check_reachability(lab)


def registered_ids(lab, site):
    entry = lab.registration(f"{site}.blue.example")
    return entry["sender-id"] if entry else []


@case("a site that has used up its share loses a state: it keeps the others, says why it has no new "
      "Sender-ID, stays registered, and has new keys with the next rekey")
def share_used_up(lab):
    lab.configure("site1", "gsa member blue", "retry-time 1")
    while (count := len(registered_ids(lab, "site1"))) < SHARE:
        lab.vtysh("sr", "clear gsa group blue member site1.blue.example")
        wait_until(lambda count=count: len(registered_ids(lab, "site1")) > count, STEP_S,
                   "site1 is back", diagnose=lambda: registrations(lab, "blue"))
    converged(lab)
    mine, blue = sender_ids(lab, "site1"), flows_between(lab, *SITES)
    others = [flow for flow in blue if "host3" in (flow.source, flow.target)]
    (state,) = [state for state in inbound(lab, "site1")
                if state["source"] == address(lab, "site2")]
    with Capture(lab, "provider", "share") as capture, \
            ping.Traffic(blue) as traffic:
        await_flowing(blue)
        start = time.monotonic()
        delete(lab, "site1", state)
        wait_until(lambda: "with no new Sender-ID" in lab.member("site1", "blue")["reason"], STEP_S,
                   "site1 says why", diagnose=lambda: lab.members("site1"))
        await_log(lab, "sr", "gcksd", "refused site1.blue.example", "its share")
        member = lab.member("site1", "blue")
        check(member["state"] == "registered" and "REGISTRATION_FAILED" in member["reason"],
              f"{member}")
        check(sorted(registered_ids(lab, "site1"))[-1:] == sorted(mine), "it has another Sender-ID")
        rekey(lab, "blue")
        converged(lab)
        await_flowing(blue)
        end = time.monotonic()
        traffic.stop()
    check_no_loss(others, start, end)
    check_nothing_clear(capture)
    check(sender_ids(lab, "site1") == mine, "site1 sends as another")
    lab.configure("site1", "gsa member blue", "no retry-time")
    check_reachability(lab)


@case("a live group's Sender-IDs run out: it begins anew by itself, nothing clear, red unharmed")
def used_up(lab):
    converged(lab)
    old, kept = current_spi(lab, "blue"), current_spi(lab, "red")
    blue, red = flows_between(lab, *SITES), flows_between(lab, "site3", "site4")
    with Capture(lab, "provider", "used-up") as capture, ping.Traffic(blue + red) as traffic:
        await_flowing(blue + red)
        start = time.monotonic()
        given, anew = use_up(lab)
        begun = time.monotonic()
        check(given == sorted(set(given)) and max(given) < 1 << BITS, f"given: {given}")
        check(anew[0] == 0, f"after {given}: {anew}")
        check(lab.log_lines("sr", "gcksd", "group blue", "Sender-IDs are used up"),
              "the log does not say why")
        converged(lab)
        await_flowing(blue + red)
        end = time.monotonic()
        traffic.stop()
    check_nothing_clear(capture)
    check_no_loss(red, start, end)
    lost = [sent for flow in blue for number, sent in enumerate(flow.sent)
            if number not in flow.answered and start <= sent < end]
    print(f"# {len(given)} Sender-IDs of {len(given) // SHARE + 1} members; blue stood still for "
          f"{max(lost, default=begun) - begun:.1f} s")
    check(current_spi(lab, "red") == kept, "red has a new SA")
    for site in SITES:
        check(spis(lab, site, "blue") == {current_spi(lab, "blue")} != {old},
              f"{site} holds {spis(lab, site, 'blue')}, the old SPI is {old:#x}")
    found = [number for entry in registrations(lab, "blue") for number in entry["sender-id"]]
    check(len(found) == len(set(found)), f"Sender-IDs of two members: {registrations(lab, 'blue')}")
    mine = [sender_ids(lab, site) for site in SITES]
    check(all(len(each) == 1 for each in mine) and len(set.union(*mine)) == len(SITES),
          f"the sites send as {mine}")
    check_reachability(lab)


@case("rekey on-join while the charon of another member restarts: one rekey, it has the new SA with "
      "its registration, keeps the old one, and no packet is lost")
def join_meanwhile(lab):
    lab.configure("sr", "gsa group blue", "rekey on-join", "activation-delay 20")
    converged(lab)
    await_alone(lab, "blue")
    number, old = generation(lab, "blue"), current_spi(lab, "blue")
    blue = flows_between(lab, *SITES)
    with ping.Traffic(blue) as traffic, python_member(lab, "late.blue.example") as late:
        await_flowing(blue)
        start = time.monotonic()
        lab.kill("site2", "charon")
        late.register()
        check([sa.spi for sa in late.sas] == [current_spi(lab, "blue")] != [old],
              f"the new member was given {[hex(sa.spi) for sa in late.sas]}")
        lab.start("site2", "charon")
        # while it waits it answers what the key server asks
        wait_until(lambda: late.take_rekeys()
                   or spis(lab, "site2", "blue") == {old, current_spi(lab, "blue")}, STEP_S,
                   "site2 holds both SAs", diagnose=lambda: spis(lab, "site2", "blue"))
        wait_until(lambda: late.take_rekeys() or len(made(lab, "blue")) == 1, STEP_S,
                   "the old SA is gone", diagnose=lambda: made(lab, "blue"))
        check(not behind(lab, "blue"), lambda: f"not all have the new SA: {behind(lab, 'blue')}")
        await_alone(lab, "blue")
        late.take_rekeys()
        end = time.monotonic()
        await_flowing(blue)
        traffic.stop()
        late.take_rekeys()
        check(generation(lab, "blue") == number + 1,
              f"generation {generation(lab, 'blue')} after {number}")
        check([sa.spi for sa in late.sas] == [current_spi(lab, "blue")],
              f"the new member has {[hex(sa.spi) for sa in late.sas]}")
        late.leave()
    total = check_no_loss(blue, start, end)
    print(f"# {total} probes, {end - start:.0f} s")
    lab.configure("sr", "gsa group blue", "no rekey on-join", "activation-delay 3")
    converged(lab)


if __name__ == "__main__":
    main()
