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
#   site3 has both over one IKE_SA; activation delay 3 s, deactivation delay 3 s
"""New keys under traffic: not one packet of any pair is lost, and the old keys go everywhere."""

import re
import threading
import time

from harness import case, check, main, wait_until
from observe import RECOVER_S, check_nothing_clear, check_reachability, converged, still_answering
from rekeying import (await_alone, await_generation, check_no_loss, current_spi, drops, generation,
                      group_states, made, rekey, rekey_through, spis)
from topology import ping
from topology.capture import Capture

REKEYS = 100
# So many of a group's SAs may be in use while the next rekey is asked for: rekeys overlap.
TOGETHER = 4
GROUPS = ("blue", "red")


def flowing(lab):
    return ping.Traffic(lab.host_flows(reachable=True))


def await_flowing(traffic):
    wait_until(lambda: all(still_answering(flow) for flow in traffic.flows), RECOVER_S,
               "all traffic flows", diagnose=lambda: [
                   str(flow) for flow in traffic.flows if not still_answering(flow)])


@case("one rekey by hand: inbound first, outbound after the activation delay, then the old goes")
def one(lab):
    for name in GROUPS:
        for node in lab.topology.groups[name].sites:
            check(spis(lab, node, name) == {current_spi(lab, name)}, f"{node}: {spis(lab, node, name)}")
        old = current_spi(lab, name)
        number = rekey(lab, name)
        new = current_spi(lab, name)
        check(new != old, "the new SA has the SPI of the old one")
        await_generation(lab, name, number)
        await_alone(lab, name)
    check_reachability(lab)


@case(f"{REKEYS} rekeys of each group under traffic between all pairs lose 0 packets")
def many(lab):
    with Capture(lab, "provider", "rekeys") as capture, flowing(lab) as traffic:
        await_flowing(traffic)
        first = {name: generation(lab, name) for name in GROUPS}
        before = drops(lab)
        start = time.monotonic()
        for number in range(1, REKEYS + 1):
            for name in GROUPS:
                wait_until(lambda name=name: len(made(lab, name)) < TOGETHER, 30,
                           f"an old SA of {name} goes", diagnose=lambda name=name: made(lab, name))
                rekey(lab, name)
            for name in GROUPS:
                await_generation(lab, name, first[name] + number)
        for name in GROUPS:
            await_alone(lab, name)
        end = time.monotonic()
        # probes of the last second may be under way
        wait_until(lambda: all(still_answering(flow) for flow in traffic.flows), RECOVER_S,
                   "all traffic flows")
        traffic.stop()
    dropped = {key: count - before.get(key, 0) for key, count in drops(lab).items()
               if count != before.get(key, 0)}
    print(f"# dropped by kernels: {dropped}")
    total = check_no_loss(traffic.flows, start, end)
    for name in GROUPS:
        check(generation(lab, name) == first[name] + REKEYS,
              f"{name} went from generation {first[name]} to {generation(lab, name)}")
    check_nothing_clear(capture)
    print(f"# {total} probes, {2 * REKEYS} rekeys, {end - start:.0f} s")


@case("afterwards key server and members agree on generation and SPIs, and no old state is left")
def agree(lab):
    for name in GROUPS:
        check(len(made(lab, name)) == 1, f"SAs at the key server: {made(lab, name)}")
        for entry in lab.registrations():
            if entry["group"] == name:
                check(entry["generation"] == generation(lab, name), f"{entry}")
        sites = lab.topology.groups[name].sites
        for site in sites:
            states = group_states(lab, site, name)
            others = len(sites) - 1
            inbound = others if lab.sender_mask(name) else 1
            check(len(states) == inbound + others, f"{site} has {len(states)} states: {states}")
            check(spis(lab, site, name) == {current_spi(lab, name)}, f"{site}: {spis(lab, site, name)}")


@case("the end of an SA's lifetime is foreseen: the next one is in use before, nothing is lost")
def lifetime(lab):
    for name in GROUPS:
        lab.configure("sr", f"gsa group {name}", "lifetime data 16")
    # what has the old lifetime goes
    for name in GROUPS:
        rekey_through(lab, name)
    with flowing(lab) as traffic:
        await_flowing(traffic)
        first = {name: generation(lab, name) for name in GROUPS}
        start = time.monotonic()
        for name in GROUPS:
            wait_until(lambda name=name: generation(lab, name) >= first[name] + 3, 60,
                       f"three rekeys of {name} by lifetime")
            await_generation(lab, name, first[name] + 3)
        end = time.monotonic()
        await_flowing(traffic)
        traffic.stop()
    check_no_loss(traffic.flows, start, end)
    for name in GROUPS:
        lab.configure("sr", f"gsa group {name}", "no lifetime data")
        rekey_through(lab, name)


def ike_sas(lab, node):
    """{unique id: name} of the IKE_SAs that are up."""
    raw = lab.run(node, "swanctl", "--list-sas", "--raw")
    return {number: name for name, number in
            re.findall(r"list-sa event \{(\S+) \{uniqueid=(\d+) [^{]*?state=ESTABLISHED", raw)}


@case("a rekey of the registration SA itself disturbs nothing, and the group's rekeys go on over it")
def registration_sa(lab):
    with flowing(lab) as traffic:
        await_flowing(traffic)
        before = {name: (generation(lab, name), current_spi(lab, name)) for name in GROUPS}
        start = time.monotonic()
        for node, connection in (("site3", "blue"), ("site4", "red"), ("site1", "blue")):
            old = ike_sas(lab, node)
            lab.run(node, "swanctl", "--rekey", "--ike", connection)
            wait_until(lambda node=node, old=old: ike_sas(lab, node)
                       and not set(ike_sas(lab, node)) & set(old),
                       30, f"a new IKE_SA of {node}", diagnose=lambda node=node: ike_sas(lab, node))
        old = ike_sas(lab, "sr")
        lab.run("sr", "swanctl", "--rekey", "--ike", "blue")
        wait_until(lambda: len(ike_sas(lab, "sr")) == len(old)
                   and set(ike_sas(lab, "sr")) != set(old), 30, "new IKE_SAs of the S/R")
        for name in GROUPS:
            check((generation(lab, name), current_spi(lab, name)) == before[name],
                  f"{name} has a new SA by it")
        known = {entry["ike-sa"] for entry in lab.registrations()}
        wait_until(lambda: {entry["ike-sa"] for entry in lab.registrations()}
                   <= set(map(int, ike_sas(lab, "sr"))), 10, "the registrations are on live IKE_SAs",
                   diagnose=lambda: f"{known} of {ike_sas(lab, 'sr')}")
        for name in GROUPS:
            rekey_through(lab, name)
        end = time.monotonic()
        await_flowing(traffic)
        traffic.stop()
    check_no_loss(traffic.flows, start, end)
    converged(lab)


def flows_of(lab, name):
    """Between the hosts of a group's sites, which have no other group in common."""
    hosts = {host.name for site in lab.topology.groups[name].sites
             for host in lab.topology.hosts_behind(site)}
    return [flow for flow in lab.host_flows(reachable=True)
            if {flow.source, flow.target} <= hosts]


def await_membership(lab, name, registered):
    wait_until(lambda: (name in lab.registered_groups("site3")) == registered
               == bool(lab.registration("site3.blue.example", name)), 30,
               f"site3 is {'' if registered else 'not '}registered for {name}",
               diagnose=lambda: lab.members("site3"))


@case("a site leaves one group, and joins it again, while the other one is rekeyed over the same "
      "IKE_SA: of that one's traffic not one packet is lost")
def leaves_while_rekeyed(lab):
    ike_sa = ike_sas(lab, "site3")
    check(len(ike_sa) == 1, f"IKE_SAs of site3: {ike_sa}")
    for left, kept in (GROUPS, GROUPS[::-1]):
        changes = ([f"no gsa member {left}"], lab.declared_block("site3", f"gsa member {left}"))
        with ping.Traffic(flows_of(lab, kept)) as traffic:
            await_flowing(traffic)
            start = time.monotonic()
            for _ in range(3):
                for registered, lines in enumerate(changes):
                    change = threading.Thread(target=lab.configure, args=("site3", *lines))
                    change.start()
                    number = rekey(lab, kept)
                    change.join()
                    await_membership(lab, left, bool(registered))
                    await_generation(lab, kept, number)
            await_alone(lab, kept)
            end = time.monotonic()
            await_flowing(traffic)
            traffic.stop()
        total = check_no_loss(traffic.flows, start, end)
        print(f"# {left} left three times, {total} probes of {kept}, {end - start:.0f} s")
        check(ike_sas(lab, "site3") == ike_sa, "site3 has another IKE_SA")
    converged(lab)
    check_reachability(lab)


if __name__ == "__main__":
    main()
