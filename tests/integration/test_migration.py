#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: migration
#
#   host1 ── site1 ──┐
#   host2 ── site2 ──┼── provider ── sr        all three sites in one group, mode receive-only
#   host3 ── site3 ──┘
"""A running network in clear is moved to the group site by site, and its traffic goes on where
one mode can talk to the other."""

import time

from harness import case, check, main, wait_until
from observe import (RECOVER_S, check_flows_undisturbed, check_nothing_clear, converged,
                     still_answering)
from rekeying import rekey_through
from topology import ping
from topology.capture import Capture

STEP_S = 60
SITES = ("site1", "site2", "site3")
QUIET_S = 2.5


def crossing(lab, capture):
    """{(from, to): {"ESP", "clear"}} of the LANs' packets at the provider, as sites."""
    found = {}
    gateways = {node.address: node.name for node in lab.topology.gateways}
    hosts = {node.address: node.behind for node in lab.topology.of_kind("host")}
    for packet in capture.packets:
        for names, how in ((gateways, "ESP"), (hosts, "clear")):
            if packet.source in names and packet.destination in names \
                    and (how == "clear" or packet.protocol == 50):
                found.setdefault((names[packet.source], names[packet.destination]), set()).add(how)
    return found


def set_mode(lab, site, mode):
    lab.configure(site, "gsa member blue", f"mode {mode}")
    wait_until(lambda: lab.member(site, "blue")["mode"] == mode, STEP_S, f"{site} shows {mode}")


def check_crossing(lab, expected, label):
    """How each site's packets to each other one cross: {site: "ESP" or "clear"}."""
    def as_expected():
        flows = lab.host_flows()
        with Capture(lab, "provider", label) as capture:
            answered = ping.answering(flows, 10)
        found = crossing(lab, capture)
        wanted = {(site, other): {expected[site]} for site in SITES for other in SITES
                  if site != other}
        as_expected.found = f"{found}; answering {[str(flow) for flow in answered]}"
        return len(answered) == len(flows) and found == wanted
    wait_until(as_expected, STEP_S, f"packets cross as {expected}",
               diagnose=lambda: as_expected.found)


@case("receive-only everywhere: keys are there, and everything still goes in clear")
def receive_only(lab):
    for site in SITES:
        member = lab.member(site, "blue")
        check(member["mode"] == "receive-only" and member["state"] == "registered", f"{member}")
        states = [state for state in lab.states(site) if state["group"] == "blue"]
        check(states, f"{site} has no states")
    check_crossing(lab, dict.fromkeys(SITES, "clear"), "receive-only")


@case("site by site to passive: who is passive sends ESP, who is not sends clear")
def passive(lab):
    modes = dict.fromkeys(SITES, "clear")
    flows = lab.host_flows()
    for site in SITES:
        with ping.Traffic(flows) as traffic:
            wait_until(lambda: all(still_answering(flow) for flow in flows), RECOVER_S, "flows")
            start = time.monotonic()
            set_mode(lab, site, "passive")
            modes[site] = "ESP"
            check_crossing(lab, modes, f"{site}-passive")
            end = time.monotonic()
            wait_until(lambda: all(still_answering(flow) for flow in flows), RECOVER_S, "flows")
            traffic.stop()
        # what is not protected is blocked before the policies that protect are there
        check_flows_undisturbed(flows, start, end)
    rekey_through(lab, "blue")
    check_crossing(lab, modes, "passive")


@case("site by site to fail-closed: traffic goes on, and no clear packet leaves")
def fail_closed(lab):
    flows = lab.host_flows()
    for site in SITES:
        with Capture(lab, "provider", f"{site}-closed") as capture, ping.Traffic(flows) as traffic:
            wait_until(lambda: all(still_answering(flow) for flow in flows), RECOVER_S, "flows")
            start = time.monotonic()
            set_mode(lab, site, "fail-closed")
            converged(lab)
            end = time.monotonic()
            wait_until(lambda: all(still_answering(flow) for flow in flows), RECOVER_S, "flows")
            traffic.stop()
        # a policy is taken away and another one made: a packet in between is dropped
        check_flows_undisturbed(flows, start, end)
        check_nothing_clear(capture)
    check_crossing(lab, dict.fromkeys(SITES, "ESP"), "fail-closed")


def answering(lab, *pairs):
    return [str(flow) for flow in ping.answering([lab.flow(*pair) for pair in pairs], QUIET_S)]


@case("fail-closed takes no clear packet, passive does")
def clear_inwards(lab):
    set_mode(lab, "site3", "receive-only")    # sends clear from now on
    wait_until(lambda: not answering(lab, ("host3", "host1"), ("host3", "host2")), STEP_S,
               "the fail-closed sites take no clear packet")
    set_mode(lab, "site1", "passive")
    wait_until(lambda: answering(lab, ("host3", "host1"), ("host3", "host2"))
               == ["host3 to host1"], STEP_S, "the passive site alone takes it")
    for site in ("site1", "site3"):
        set_mode(lab, site, "fail-closed")
    converged(lab)


@case("without its SA a passive or fail-closed site sends nothing, a receive-only one sends clear")
def no_sa(lab):
    pairs = (("host1", "host2"), ("host2", "host1"))
    lab.configure("sr", "gsa group blue", "deny identity *")
    try:
        for site in SITES:
            wait_until(lambda site=site: not [state for state in lab.states(site)
                                              if state["group"]], STEP_S, f"{site} has no state")
        for mode, answers in (("fail-closed", False), ("passive", False), ("receive-only", True)):
            for site in ("site1", "site2"):
                set_mode(lab, site, mode)
            with Capture(lab, "provider", f"no-sa-{mode}") as capture:
                if answers:
                    wait_until(lambda: len(answering(lab, *pairs)) == 2, STEP_S,
                               "receive-only lets clear through")
                else:
                    check(not answering(lab, *pairs), f"{mode}: answers without an SA")
            if not answers:
                check_nothing_clear(capture)
    finally:
        for site in ("site1", "site2"):
            set_mode(lab, site, "fail-closed")
        lab.configure("sr", "gsa group blue", "no deny identity *")
    converged(lab)


if __name__ == "__main__":
    main()
