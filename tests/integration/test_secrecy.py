#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: rekey
#
#   host1 ── site1 ──┐              ┌── site3 ── host3
#                    ├── provider ──┤
#   host2 ── site2 ──┘       │      └── site4 ── host4
#                            sr
#
#   blue (pairwise): site1 site2 site3        red (one SA for all): site3 site4
#
#   Further members of both groups are Python programs at site1's and site4's addresses, which keep
#   every key that they are given.
"""Who has left a group cannot read what comes after, and who joins cannot read what was before:
packets captured at the provider are decrypted with all keys that it held."""

import time

from harness import case, check, main, wait_until
from observe import check_nothing_clear, converged
from pymember import PythonMember, admit, opened_by
from rekeying import (await_alone, await_generation, command, current_spi, generation, group,
                      group_states, rekey_through)
from topology import esp, ping
from topology.capture import Capture

STEP_S = 60
PACKETS = 40
BURST = 100
GROUPS = {"blue": ("site1", "site2"), "red": ("site4", "site4")}   # where the Python member is


def esp_of(lab, capture, name):
    """Captured ESP between the group's sites that share no other group, as each packet once."""
    sites = {lab.topology.nodes[site].address for site in lab.topology.groups[name].sites}
    found = {packet.data: packet for packet in capture.packets
             if packet.protocol == 50 and {packet.source, packet.destination} <= sites}
    return list(found.values())


def traffic_of(lab, name, without=""):
    sites = [site for site in lab.topology.groups[name].sites if site != without]
    return [flow for flow in lab.host_flows(reachable=True)
            if {lab.topology.nodes[end].behind for end in (flow.source, flow.target)} <= set(sites)]


def captured(lab, name, label, without=""):
    """ESP packets of the group, fresh ones, without those of one site."""
    flows = traffic_of(lab, name, without)
    with Capture(lab, "provider", label) as capture, ping.Traffic(flows) as traffic:
        start = time.monotonic()
        wait_until(lambda: all(flow.answers_since(start) > PACKETS // len(flows) + 1
                               for flow in flows), STEP_S, f"traffic of {name}",
                   diagnose=lambda: [str(flow) for flow in flows])
        traffic.stop()
    check_nothing_clear(capture)
    packets = esp_of(lab, capture, name)
    check(len(packets) >= PACKETS, f"{len(packets)} ESP packets captured")
    return packets


def highest_sender_id(packets):
    return max(esp.spi_of(packet) & 0xffff for packet in packets)


def check_opens(packets, keys, text):
    """All of them: the keys are right, and so is who decrypts."""
    found = opened_by(packets, keys)
    check(len(found) == len(packets), f"{text}: {len(found)} of {len(packets)} packets opened")


def check_closed(packets, keys, text):
    found = opened_by(packets, keys)
    check(not found, lambda: f"{text}: {len(found)} of {len(packets)} packets opened, "
          f"the first with SPI {esp.spi_of(found[0]):#x}")


def member_of(lab, name, identity):
    return PythonMember(lab, GROUPS[name][0], name, identity, admit(lab, name, [identity]))


def set_options(lab, name, *lines):
    lab.configure("sr", f"gsa group {name}", *lines)


def check_join(lab, name):
    set_options(lab, name, "rekey on-join")
    try:
        converged(lab)
        await_alone(lab, name)
        before = captured(lab, name, f"{name}-before-join")
        number = generation(lab, name)
        with member_of(lab, name, f"late.{name}.example") as late:
            late.register()
            check(generation(lab, name) == number + 1,
                  f"generation {number} before, {generation(lab, name)} after the join")
            check(len(late.sas) == 1, f"{len(late.sas)} SAs were given")
            wait_until(lambda: late.take_rekeys() or not [
                entry for entry in lab.registrations()
                if entry["group"] == name and entry["delivery"] != "current"],
                STEP_S, "the others have the new SA")
            await_alone(lab, name)
            late.take_rekeys()
            after = captured(lab, name, f"{name}-after-join")
            highest = highest_sender_id(before + after)
            keys = list(late.every_key(highest))
            check_opens(after, keys, "what was sent after the member had joined")
            check_closed(before, keys, "what was captured before the member joined")
            late.leave()
    finally:
        set_options(lab, name, "no rekey on-join")
    wait_until(lambda: not lab.registration(f"late.{name}.example"), STEP_S, "it has left")


@case("rekey on-join (pairwise): from its TEK a new member derives no key of what was before")
def join_pairwise(lab):
    check_join(lab, "blue")


@case("rekey on-join (group): a new member's key opens nothing of what was before")
def join_group(lab):
    check_join(lab, "red")


def check_leave(lab, name, expelled=""):
    """A spy is put out, and a proper member with it (of red, two must stay to be captured)."""
    identity, site = f"spy.{name}.example", expelled or GROUPS[name][1]
    denied = [f"deny identity {each}" for each in [identity]
              + ([f"{expelled}.{name}.example"] if expelled else [])]
    set_options(lab, name, "rekey on-leave")
    try:
        converged(lab)
        with member_of(lab, name, identity) as spy:
            spy.register()
            number = generation(lab, name)
            before = captured(lab, name, f"{name}-before-leave")
            spy.take_rekeys()
            kernel = [esp.Keys.of(state) for state in group_states(lab, site, name)]
            set_options(lab, name, *denied)
            wait_until(lambda: spy.take_rekeys() or spy.deleted(), STEP_S, "the spy is told")
            await_generation(lab, name, number + 1)
            # the deactivation delay is over when no kernel has the old SA
            await_alone(lab, name, without=expelled)
            check(not expelled or not group_states(lab, expelled, name),
                  f"{expelled} has states of {name}")
            spy.take_rekeys()
            after = captured(lab, name, f"{name}-after-leave", without=expelled)
            keys = list(spy.every_key(highest_sender_id(before + after)))
            check_opens(before, keys, "what was sent while the spy was a member")
            check_closed(after, keys, "what was sent after the spy had been put out")
            # and what a proper member's kernel held: of its own pairs alone, when `pairwise`
            own = [packet for packet in before if lab.topology.nodes[site].address
                   in (packet.source, packet.destination)]
            check_opens(own, kernel, f"traffic of {site} with its own kernel's keys")
            check_closed(after, kernel, f"later traffic with the old keys of {site}'s kernel")
            if name == "blue":
                others = [packet for packet in before if packet not in own]
                check(others, "no traffic of two others was captured")
                check_closed(others, kernel, f"traffic of others with the kernel keys of {site}")
    finally:
        set_options(lab, name, "no rekey on-leave", *[f"no {line}" for line in denied])


@case("rekey on-leave (pairwise): the TEK and all pairs' keys of the expelled open nothing more")
def leave_pairwise(lab):
    check_leave(lab, "blue", expelled="site2")


@case("rekey on-leave (group): the key of the expelled member opens nothing more")
def leave_group(lab):
    check_leave(lab, "red")


def check_one_rekey(lab, name, leave, come_back):
    """What `leave` does gives the group one new SA, and only one."""
    converged(lab)
    number = generation(lab, name)
    leave()
    wait_until(lambda: generation(lab, name) > number, STEP_S, "a rekey",
               diagnose=lambda: group(lab, name))
    come_back()
    converged(lab)
    await_generation(lab, name, number + 1)
    await_alone(lab, name)
    check(generation(lab, name) == number + 1,
          f"{generation(lab, name) - number} rekeys for one leave")


@case("each way to leave is one rekey: cleared, denied, no longer permitted, left by itself")
def causes(lab):
    set_options(lab, "blue", "rekey on-leave")
    try:
        check_one_rekey(lab, "blue", lambda: lab.vtysh("sr", "clear gsa member site2.blue.example"),
                        lambda: None)
        check_one_rekey(lab, "blue",
                        lambda: set_options(lab, "blue", "deny identity site2.blue.example"),
                        lambda: set_options(lab, "blue", "no deny identity site2.blue.example"))
        set_options(lab, "blue", "permit identity site1.blue.example",
                    "permit identity site3.blue.example")
        check_one_rekey(lab, "blue",
                        lambda: set_options(lab, "blue", "no permit identity *.blue.example"),
                        lambda: set_options(lab, "blue", "permit identity *.blue.example"))
        check_one_rekey(lab, "blue", lambda: lab.configure("site2", "no gsa member blue"),
                        lambda: lab.configure("site2",
                                              *lab.declared_block("site2", "gsa member blue")))
    finally:
        set_options(lab, "blue", "no rekey on-leave")


@case(f"a burst of {BURST} leaves within a second is one rekey")
def burst(lab):
    identities = [f"many{number}.red.example" for number in range(BURST)]
    secret = admit(lab, "red", identities)
    converged(lab)
    members = []
    try:
        for identity in identities:
            members.append(PythonMember(lab, "site4", "red", identity, secret).__enter__())
            members[-1].register(sender=False)
        check(len([entry for entry in lab.registrations() if entry["group"] == "red"])
              == BURST + 2, f"{len(lab.registrations())} registrations")
        set_options(lab, "red", "rekey on-leave")
        number, spi = generation(lab, "red"), current_spi(lab, "red")
        start = time.monotonic()
        for member in members:
            member.send_leave()
        took = time.monotonic() - start
        check(took < 1, f"the leaves took {took:.1f} s")
        wait_until(lambda: len([entry for entry in lab.registrations()
                                if entry["group"] == "red"]) == 2, STEP_S, "all have left",
                   diagnose=lambda: len(lab.registrations()))
        await_generation(lab, "red", number + 1)
        await_alone(lab, "red")
        check(generation(lab, "red") == number + 1,
              f"{generation(lab, 'red') - number} rekeys for {BURST} leaves")
        check(current_spi(lab, "red") != spi, "the SA is the old one")
    finally:
        for member in members:
            member.__exit__()
        set_options(lab, "red", "no rekey on-leave")
    converged(lab)
    rekey_through(lab, "red")


@case("put out while charon is dead, and gcksd is killed before the rekey: it is not forgotten")
def rekey_remembered(lab):
    set_options(lab, "blue", "rekey on-leave")
    lab.vtysh("sr", "write")
    try:
        converged(lab)
        await_alone(lab, "blue")
        number = generation(lab, "blue")
        lab.kill("sr", "charon")
        command(lab, "sr", "clear gsa member site2.blue.example")
        wait_until(lambda: not lab.registration("site2.blue.example"), STEP_S, "site2 is put out")
        check(generation(lab, "blue") == number, "a rekey that nobody can be told of")
        lab.kill("sr", "gcksd")
        lab.start("sr", "gcksd")
        lab.start("sr", "charon")
        await_generation(lab, "blue", number + 1)
        converged(lab)
        await_alone(lab, "blue")
        # and no other one by the next restart
        number = generation(lab, "blue")
        lab.kill("sr", "gcksd")
        lab.start("sr", "gcksd")
        converged(lab)
        await_alone(lab, "blue")
        check(generation(lab, "blue") == number, f"{group(lab, 'blue')} after another restart")
    finally:
        set_options(lab, "blue", "no rekey on-leave")
        lab.vtysh("sr", "write")


if __name__ == "__main__":
    main()
