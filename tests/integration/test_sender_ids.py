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
"""A live group whose Sender-IDs run out, and one that is joined while a member's charon restarts."""

import struct
import time

import gikev2
from harness import case, check, main, wait_until
from ikev2 import notify
from observe import check_nothing_clear, check_reachability, converged, still_answering
from pymember import PythonMember, admit
from rekeying import (await_alone, behind, check_no_loss, current_spi, generation, group_states,
                      made, registrations, spis)
from topology import ping
from topology.capture import Capture

STEP_S = 60
BITS = 8
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


def use_up(lab, member):
    """Registers until there is no Sender-ID left; how many it was given before."""
    before = current_spi(lab, "blue")
    more = notify(gikev2.GROUP_SENDER, struct.pack(">I", 8))
    for _ in range(1 << BITS):
        given = len(member.sender_ids)
        member.register(more, sender=False)
        if current_spi(lab, "blue") != before:
            return given
    check(False, f"{len(member.sender_ids)} Sender-IDs were given")
    return 0


@case("a live group's Sender-IDs run out: it begins anew by itself, nothing clear, red unharmed")
def used_up(lab):
    converged(lab)
    old, kept = current_spi(lab, "blue"), current_spi(lab, "red")
    blue, red = flows_between(lab, *SITES), flows_between(lab, "site3", "site4")
    with Capture(lab, "provider", "used-up") as capture, ping.Traffic(blue + red) as traffic, \
            python_member(lab, "greedy.blue.example") as greedy:
        greedy.register()
        await_flowing(blue + red)
        start = time.monotonic()
        given = use_up(lab, greedy)
        begun = time.monotonic()
        check(greedy.sender_ids[:given] == sorted(set(greedy.sender_ids[:given]))
              and max(greedy.sender_ids[:given]) < 1 << BITS, f"given: {greedy.sender_ids}")
        check(greedy.sender_ids[given] == 0, f"after {given}: {greedy.sender_ids[given:]}")
        check(lab.log_lines("sr", "gcksd", "group blue", "Sender-IDs are used up"),
              "the log does not say why")
        converged(lab)
        await_flowing(blue + red)
        end = time.monotonic()
        traffic.stop()
        greedy.leave()
    check_nothing_clear(capture)
    check_no_loss(red, start, end)
    lost = [sent for flow in blue for number, sent in enumerate(flow.sent)
            if number not in flow.answered and start <= sent < end]
    print(f"# {given} Sender-IDs of a member; blue stood still for "
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
