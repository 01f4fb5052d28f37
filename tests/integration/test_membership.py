#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: two-groups
#
#   host1 ── site1 ──┐              ┌── site3 ── host3
#                    ├── provider ──┤
#   host2 ── site2 ──┘       │      └── site4 ── host4
#                            sr
#
#   blue (certificates): site1 site2 site3        red (PSK): site3 site4
"""Members come, go and are put out: routes and traffic follow at once, sessions stay."""

import time

from harness import case, check, main, wait_until
from observe import (await_log, bgp_prefixes, check_flows_undisturbed, check_nothing_clear,
                     check_reachability, converged, sessions, still_answering)
from topology import ping
from topology.capture import Capture

IDENTITY = "site2.blue.example"
STEP_S = 60


def established(lab):
    """How often each node's sessions were made: unchanged as long as none was reset."""
    return {name: {peer: count for peer, (_, count) in sessions(lab, name).items()}
            for name in ("sr", "site1", "site2", "site3", "site4")}


def check_no_reset(lab, before):
    after = established(lab)
    check(after == before, f"connections were {before}, now are {after}")


def holds(lab, node, prefix):
    return prefix in bgp_prefixes(lab, node)


@case("clear gsa member ends a registration; the member comes back by itself")
def clear(lab):
    before = established(lab)
    ike_sa = lab.registration(IDENTITY)["ike-sa"]
    lab.vtysh("sr", f"clear gsa member {IDENTITY}")
    wait_until(lambda: (lab.registration(IDENTITY) or {}).get("ike-sa") not in (None, ike_sa),
               STEP_S, f"{IDENTITY} is registered again", diagnose=lambda: lab.registrations())
    converged(lab)
    check_no_reset(lab, before)


@case("deny identity expels a member: its routes leave, its traffic fails closed, others go on")
def expel(lab):
    before = established(lab)
    others = [flow for flow in lab.host_flows(reachable=True)
              if "host2" not in (flow.source, flow.target)]
    expelled = [flow for flow in lab.host_flows() if "host2" in (flow.source, flow.target)]
    with Capture(lab, "provider", "expel") as capture, ping.Traffic(others) as traffic:
        start = time.monotonic()
        lab.configure("sr", "gsa group blue", f"deny identity {IDENTITY}")
        wait_until(lambda: not lab.registration(IDENTITY), STEP_S, "the registration is ended")
        for node in ("sr", "site1", "site3"):
            wait_until(lambda node=node: "10.2.0.0/24" not in group_prefixes(lab, node), STEP_S,
                       f"10.2.0.0/24 has left {node}")
        wait_until(lambda: not lab.group_routes("site2"), STEP_S, "site2 has no group route left")
        wait_until(lambda: not [state for state in lab.states("site2") if state["group"]], STEP_S,
                   "site2 has no state of the group left")
        found = ping.answering(expelled, 2)
        check(not found, f"still answering: {[str(flow) for flow in found]}")
        end = time.monotonic()
        wait_until(lambda: all(still_answering(flow) for flow in others), STEP_S,
                   "the others' traffic goes on")
        traffic.stop()
    check_flows_undisturbed(others, start, end)
    check_nothing_clear(capture)
    check_no_reset(lab, before)


def group_prefixes(lab, node):
    """Prefixes in the node's table that are in use: a path of no member is kept, not used."""
    if node == "sr":
        return {prefix for _, prefix in lab.group_routes(node)}
    return set(bgp_prefixes(lab, node))


@case("the expelled member is refused from then on; the log says who, what and why")
def refused(lab):
    # the S/R's log has it once in a while, not at every attempt
    await_log(lab, "sr", "gcksd", IDENTITY, "blue", "refused", "deny")
    answer = ("parsed GSA_REGISTRATION response", "N((46))")
    marks = len(lab.log_lines("site2", "charon", *answer))
    wait_until(lambda: len(lab.log_lines("site2", "charon", *answer)) > marks, STEP_S,
               "a further attempt is refused")
    check(not lab.registration(IDENTITY), "it is registered")
    member = wait_until(lambda: lab.member("site2", "blue", "refused"), STEP_S,
                        "site2 knows that it is refused", diagnose=lambda: lab.members("site2"))
    check(member["notify"] == 46, f"notify of {member}")     # AUTHORIZATION_FAILED
    check(not [state for state in lab.states("site2") if state["group"]], "site2 holds keys")


@case("without the deny line the member comes back, still in the same BGP session")
def permitted_again(lab):
    before = established(lab)
    lab.configure("sr", "gsa group blue", f"no deny identity {IDENTITY}")
    converged(lab)
    check_no_reset(lab, before)
    check_reachability(lab)


@case("a site leaves a group and joins again: only that group's routes move, no session resets")
def leave_and_join(lab):
    before = established(lab)
    lab.configure("site3", "no gsa member red")
    wait_until(lambda: not lab.registration("site3.red.example"), STEP_S, "site3 has left red")
    await_log(lab, "sr", "gcksd", "site3.red.example ended: it left (REGISTRATION_FAILED)")
    wait_until(lambda: not holds(lab, "site3", "10.4.0.0/24"), STEP_S, "red has left site3")
    wait_until(lambda: not holds(lab, "site4", "10.3.0.0/24"), STEP_S, "site3 has left site4")
    with Capture(lab, "provider", "leave") as capture:
        flows = [flow for flow in lab.host_flows(reachable=True)]
        found = {str(flow) for flow in ping.answering(flows, 4)}
    expected = {str(flow) for flow in flows if "host4" not in (flow.source, flow.target)}
    check(found == expected, f"answering: {sorted(found)}")
    check_nothing_clear(capture)
    check(holds(lab, "site3", "10.1.0.0/24"), "blue's routes have left site3 as well")
    lab.configure("site3", *lab.declared_block("site3", "gsa member red"))
    converged(lab)
    check_no_reset(lab, before)


@case("a group that is given another one's identifier is out, and so is that one when it registers; "
      "put right, both come back, whether charon is there or not")
def taken_identifier(lab):
    for away in (False, True):
        lab.configure("site3", "gsa member blue", "identifier 200")
        wait_until(lambda: lab.member("site3", "blue", "refused"), STEP_S, "blue is refused",
                   diagnose=lambda: lab.members("site3"))
        lab.kill("site3", "charon")
        lab.start("site3", "charon")
        wait_until(lambda: lab.member("site3", "red", "refused"), STEP_S, "red is refused",
                   diagnose=lambda: lab.members("site3"))
        if away:
            lab.kill("site3", "charon")
        lab.configure("site3", "gsa member blue", "no identifier")
        if away:
            lab.start("site3", "charon")
        converged(lab)
    check_reachability(lab)


@case("static membership gives a peer the group's routes, and takes them back")
def static_membership(lab):
    before = established(lab)
    peer = lab.topology.nodes["site1"].address

    def announced():
        answer = lab.show("sr", f"show bgp ipv4 unicast neighbors {peer} advertised-routes")
        return set(answer.get("advertisedRoutes", {}))
    check("10.4.0.0/24" not in announced(), "red's route goes to site1 already")
    lab.configure("sr", "router bgp 65000", f"neighbor {peer} gsa group red")
    wait_until(lambda: "10.4.0.0/24" in announced(), STEP_S, "red's route goes to site1")
    # site1 belongs to blue alone: what it is sent of red it must not use
    check(not [key for key in lab.group_routes("site1") if key[0] == "red"],
          "site1 uses a route of a group that it has not joined")
    lab.configure("sr", "router bgp 65000", f"no neighbor {peer} gsa group red")
    wait_until(lambda: "10.4.0.0/24" not in announced(), STEP_S, "red's route has left site1")
    wait_until(lambda: not holds(lab, "site1", "10.4.0.0/24"), STEP_S, "nothing stale at site1")
    check_no_reset(lab, before)


@case("an export list that changes is followed at the other members")
def export_list(lab):
    before = established(lab)
    further = "172.16.1.0/24"
    check(not holds(lab, "site2", further), "it is exported already")
    lab.configure("site1", f"ip prefix-list blue seq 10 permit {further}")
    wait_until(lambda: lab.group_routes("site2").get(("blue", further)), STEP_S,
               f"{further} is in use at site2")
    lab.configure("site1", "no ip prefix-list blue seq 10")
    for node in ("site2", "site3"):
        wait_until(lambda node=node: not holds(lab, node, further), STEP_S,
                   f"{further} has left {node}")
    check_no_reset(lab, before)
    check_reachability(lab)


if __name__ == "__main__":
    main()
