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
"""Members that rekeys do not reach: they are told from others, put out, and come back by
themselves; who has no key server left stops at the end of its SA and sends nothing at all."""

import time

from harness import case, check, main, wait_until
from observe import await_log, check_nothing_clear, check_reachability, converged, still_answering
from rekeying import (await_alone, await_generation, check_no_loss, current_spi, generation,
                      registrations, rekey, rekey_through, spis)
from topology import ping
from topology.capture import Capture
from topology.cut import cut_off

STEP_S = 60
LOST_S = 90
IDENTITY = "site2.blue.example"
GROUPS = ("blue", "red")


def others_of(lab):
    return [flow for flow in lab.host_flows(reachable=True)
            if "host2" not in (flow.source, flow.target)]


@case("a member that rekeys do not reach is shown as such, and put out after so many; others go on")
def missed(lab):
    lab.configure("sr", "gsa group blue", "rekey missed-maximum 2")
    others = others_of(lab)
    with Capture(lab, "provider", "missed") as capture, ping.Traffic(others) as traffic:
        start = time.monotonic()
        with cut_off(lab, "site2"):
            rekey(lab, "blue")
            wait_until(lambda: (lab.registration(IDENTITY) or {}).get("delivery")
                       == "unanswered", LOST_S, f"{IDENTITY} is shown as unanswered",
                       diagnose=lambda: registrations(lab, "blue"))
            missed_counts = []
            while lab.registration(IDENTITY):
                missed_counts.append(lab.registration(IDENTITY).get("missed", 0))
                check(len(missed_counts) < 6, f"missed {missed_counts} and still registered")
                rekey(lab, "blue")
                before = missed_counts[-1]
                wait_until(lambda before=before: (entry := lab.registration(IDENTITY)) is None
                           or entry.get("missed", 0) > before, LOST_S, "one more is missed",
                           diagnose=lambda: registrations(lab, "blue"))
            check(missed_counts == sorted(set(missed_counts)), f"missed {missed_counts}")
            await_log(lab, "sr", "gcksd", IDENTITY, "missed")
            await_alone(lab, "blue", without="site2")
        end = time.monotonic()
        wait_until(lambda: all(still_answering(flow) for flow in others), STEP_S,
                   "the others' traffic goes on")
        traffic.stop()
    check_no_loss(others, start, end)
    check_nothing_clear(capture)


@case("reachable again it registers again and has the newest SA; it is as if nothing had been")
def back(lab):
    converged(lab)
    await_generation(lab, "blue", generation(lab, "blue"))
    await_alone(lab, "blue")
    check_reachability(lab)
    rekey_through(lab, "blue")
    lab.configure("sr", "gsa group blue", "no rekey missed-maximum")


@case("a short break: the rekey reaches the member by retransmission, it need not register again")
def short_break(lab):
    before = lab.registration(IDENTITY)
    with cut_off(lab, "site2"):
        number = rekey(lab, "blue")
        wait_until(lambda: lab.registration("site1.blue.example")["generation"] == number, 30,
                   "site1 has the new SA")
        check(lab.registration(IDENTITY)["delivery"] == "in-flight",
              f"{lab.registration(IDENTITY)}")
    await_generation(lab, "blue", number)
    await_alone(lab, "blue")
    after = lab.registration(IDENTITY)
    check(after["registered-at"] == before["registered-at"], f"{before}, then {after}")
    converged(lab)


@case("a member of two groups over one IKE_SA catches up in both")
def both_groups(lab):
    with cut_off(lab, "site3"):
        for name in GROUPS:
            rekey(lab, name)
    converged(lab)
    for name in GROUPS:
        await_alone(lab, name)
    check_reachability(lab)


@case("hard lifetime: without any key server the SA ends; then neither ESP nor clear text leaves")
def hard_lifetime(lab):
    for name in GROUPS:
        lab.configure("sr", f"gsa group {name}", "lifetime data 20")
        rekey_through(lab, name)
    spi = {name: current_spi(lab, name) for name in GROUPS}
    flows = lab.host_flows(reachable=True)
    with cut_off(lab, "sr"):
        with ping.Traffic(flows) as traffic:
            start = time.monotonic()
            wait_until(lambda: all(still_answering(flow) for flow in flows), 10,
                       "traffic goes on without the key server")
            wait_until(lambda: not [state for node in lab.topology.gateways
                                    for state in lab.states(node.name) if state["group"]],
                       40, "the SAs have ended in all kernels", diagnose=lambda: {
                           node.name: spis(lab, node.name, name) for name in GROUPS
                           for node in lab.topology.gateways})
            ended = time.monotonic()
            check(ended - start < 30, f"that was after {ended - start:.0f} s, not 20")
            with Capture(lab, "provider", "lifetime") as capture:
                probes = [len(flow.sent) for flow in flows]
                wait_until(lambda: all(len(flow.sent) > count + 40
                                       for flow, count in zip(flows, probes)), 20, "40 probes each")
            traffic.stop()
        for flow in flows:
            check(flow.answers_since(ended + 0.5) == 0, f"{flow} is answered after the end")
        check(not [packet for packet in capture.packets if packet.protocol == 50],
              "ESP after the end of the lifetime")
        check_nothing_clear(capture)
        for node in lab.topology.gateways:
            check("block" in lab.run(node.name, "ip", "xfrm", "policy"), f"{node.name} fails open")
        check({spi[name] for name in GROUPS}, "no SPI")
    for name in GROUPS:
        lab.configure("sr", f"gsa group {name}", "no lifetime data")
    converged(lab)
    for name in GROUPS:
        rekey_through(lab, name)
    check_reachability(lab)


@case("cut off from the key server alone, a member goes on with its peers until their old SA ends")
def without_key_server(lab):
    flows = [flow for flow in lab.host_flows(reachable=True)
             if {flow.source, flow.target} <= {"host1", "host2", "host3"}]
    mine = [flow for flow in flows if "host2" in (flow.source, flow.target)]
    with Capture(lab, "provider", "without") as capture, ping.Traffic(flows) as traffic:
        start = time.monotonic()
        with cut_off(lab, "site2", "sr"):
            wait_until(lambda: (lab.member("site2", "blue") or {}).get("state") == "lost", LOST_S,
                       "site2 has noticed", diagnose=lambda: lab.members("site2"))
            wait_until(lambda: all(still_answering(flow) for flow in flows), STEP_S,
                       "its traffic goes on", diagnose=lambda: [
                           str(flow) for flow in mine if not still_answering(flow)])
            end = time.monotonic()
        converged(lab)
        wait_until(lambda: all(still_answering(flow) for flow in flows), STEP_S, "all goes on")
        traffic.stop()
    check_no_loss(flows, start, end)
    check_nothing_clear(capture)
    check(spis(lab, "site2", "blue") == {current_spi(lab, "blue")}, "old states stay")


if __name__ == "__main__":
    main()
