#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: migration
#
#   host1 ── site1 ──┐
#   host2 ── site2 ──┼── provider ── sr        all three sites in one group, mode receive-only
#   host3 ── site3 ──┘
"""A running network in clear is moved to the group site by site, and its traffic goes on where
one mode can talk to the other."""

import contextlib
import time

from harness import case, check, main, wait_until
from observe import RECOVER_S, check_nothing_clear, converged, still_answering
from rekeying import check_no_loss, drops, rekey_through
from topology import ping
from topology.capture import Capture

STEP_S = 60
SITES = ("site1", "site2", "site3")
QUIET_S = 2.5
PROBE_S = 0.02
ROUNDS = 4
EACH_CHANGE = ("receive-only", "fail-closed", "passive", "receive-only", "passive", "fail-closed")


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


def await_policies(lab, site, mode):
    """The kernel has the policies of the mode, and no others."""
    shall = {("dir out", "block"): mode != "receive-only",
             ("dir fwd", "block"): mode == "fail-closed",
             ("dir fwd", "level use"): mode != "fail-closed"}

    def found():
        text = lab.run(site, "ip", "xfrm", "policy")
        policies = [" ".join(part.split()) for part in ("\n" + text).split("\nsrc ")[1:]]
        return {key: any(all(word in policy for word in key) for policy in policies)
                for key in shall}
    wait_until(lambda: found() == shall, STEP_S, f"{site} has the policies of {mode}",
               diagnose=found)


@contextlib.contextmanager
def without_loss(lab, flows):
    """Traffic while the body runs, of which nothing may be lost."""
    def flowing():
        return all(still_answering(flow) for flow in flows)
    before = drops(lab)
    with ping.Traffic(flows, interval_s=PROBE_S) as traffic:
        wait_until(flowing, RECOVER_S, "flows")
        start = time.monotonic()
        yield
        end = time.monotonic()
        wait_until(flowing, RECOVER_S, "flows")
        traffic.stop()
    dropped = {key: count - before[key] for key, count in drops(lab).items()
               if count != before.get(key, 0)}
    print(f"# dropped by kernels: {dropped}")
    print(f"# {check_no_loss(flows, start, end)} probes", flush=True)


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
        with without_loss(lab, flows):
            set_mode(lab, site, "passive")
            modes[site] = "ESP"
            check_crossing(lab, modes, f"{site}-passive")
    rekey_through(lab, "blue")
    check_crossing(lab, modes, "passive")


@case("site by site to fail-closed: traffic goes on, and no clear packet leaves")
def fail_closed(lab):
    flows = lab.host_flows()
    for site in SITES:
        with Capture(lab, "provider", f"{site}-closed") as capture, without_loss(lab, flows):
            set_mode(lab, site, "fail-closed")
            await_policies(lab, site, "fail-closed")
            converged(lab)
        check_nothing_clear(capture)
    check_crossing(lab, dict.fromkeys(SITES, "ESP"), "fail-closed")


@case(f"{2 * ROUNDS} times between fail-closed and passive: not one packet is lost or sent in clear")
def closed_and_passive(lab):
    with Capture(lab, "provider", "closed-and-passive") as capture, \
            without_loss(lab, lab.host_flows()):
        for mode in ("passive", "fail-closed") * ROUNDS:
            set_mode(lab, "site2", mode)
            await_policies(lab, "site2", mode)
    check_nothing_clear(capture)


@case(f"{ROUNDS} times each change from one mode to another, the others passive: nothing is lost")
def each_change(lab):
    try:
        for site in ("site1", "site3"):
            set_mode(lab, site, "passive")
            await_policies(lab, site, "passive")
        with without_loss(lab, lab.host_flows()):
            for mode in EACH_CHANGE * ROUNDS:
                set_mode(lab, "site2", mode)
                await_policies(lab, "site2", mode)
    finally:
        for site in SITES:
            set_mode(lab, site, "fail-closed")
    converged(lab)


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
