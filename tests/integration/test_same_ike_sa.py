#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: same-ike-sa
#
#   host1 ── site1 ──┐
#                    ├── provider ── sr
#   host2 ── site2 ──┘
#
#   red (PSK): site1 site2; beside the registration each IKE_SA may carry a CHILD_SA.
"""A registration comes and goes over an IKE_SA whose ordinary CHILD_SA stays and carries on."""

import re

from harness import case, check, main, wait_until
from topology import ping

SITE = "site1"
IDENTITY = "site1.red.example"
STEP_S = 60


def sas(lab, node):
    """{IKE_SA: {(SPI, SPI) of its CHILD_SAs, in any order}} between the site and the S/R."""
    found = {}
    for event in lab.run(node, "swanctl", "--list-sas", "--raw").splitlines():
        ike_sa = re.search(r"list-sa event \{(\S+) \{uniqueid=(\d+)", event)
        if ike_sa and lab.topology.nodes[SITE].address.exploded in event:
            found[ike_sa.group(2)] = {frozenset(spis) for spis in re.findall(
                r"state=INSTALLED [^}]*?spi-in=(\w+) [^}]*?spi-out=(\w+)", event)}
    return found


def both(lab):
    return sas(lab, SITE), sas(lab, "sr")


def check_carries(lab):
    flow = lab.flow(SITE, "sr")
    check(ping.answering([flow], 10) == [flow], "the CHILD_SA does not carry ICMP")


def check_unchanged(lab, before):
    after = both(lab)
    check(after == before, f"IKE_SAs and CHILD_SAs were {before}, now are {after}")
    check_carries(lab)


def registered(lab):
    return lab.registration(IDENTITY) and lab.member(SITE, "red", "registered")


def await_registered(lab):
    wait_until(lambda: registered(lab), STEP_S, f"{IDENTITY} is registered")


@case("a CHILD_SA comes up over the IKE_SA of the registration")
def child(lab):
    check(registered(lab), "the site is not registered")
    ike_sas = sas(lab, SITE)
    check(list(ike_sas.values()) == [set()], f"before: {ike_sas}")
    lab.run(SITE, "swanctl", "--initiate", "--child", "ordinary", "--timeout", "30")
    found = both(lab)
    check(list(found[0]) == list(ike_sas), f"IKE_SAs were {ike_sas}, now are {found[0]}")
    children = [list(side.values()) for side in found]
    check(len(children[0]) == 1 and len(children[0][0]) == 1 and children[0] == children[1],
          f"CHILD_SAs of the two ends: {found}")
    check_carries(lab)
    check(any(not state["group"] for state in lab.states(SITE)), "the kernel has no such state")


@case("the key server's Deletes leave the CHILD_SA alone; the member registers over the IKE_SA")
def deletes(lab):
    before, since = both(lab), lab.registration(IDENTITY)["registered-at"]
    ended = len(lab.log_lines(SITE, "charon", "the key server ended the membership"))
    lab.vtysh("sr", f"clear gsa member {IDENTITY}")
    wait_until(lambda: len(lab.log_lines(
        SITE, "charon", "the key server ended the membership")) > ended, STEP_S,
        f"the Deletes for the registration since {since}")
    await_registered(lab)
    check_unchanged(lab, before)


@case("an identity that is denied loses its registration, not its CHILD_SA")
def denied(lab):
    before = both(lab)
    lab.configure("sr", "gsa group red", f"deny identity {IDENTITY}")
    wait_until(lambda: not lab.registration(IDENTITY), STEP_S, "the registration is ended")
    wait_until(lambda: not [state for state in lab.states(SITE) if state["group"]], STEP_S,
               "no state of the group is left")
    check_unchanged(lab, before)
    lab.configure("sr", "gsa group red", f"no deny identity {IDENTITY}")
    await_registered(lab)
    check_unchanged(lab, before)


@case("a member that leaves keeps its CHILD_SA, and joins again over the same IKE_SA")
def departure(lab):
    before = both(lab)
    lab.configure(SITE, "no gsa member red")
    wait_until(lambda: not lab.registration(IDENTITY), STEP_S, "the registration is ended")
    wait_until(lambda: not [state for state in lab.states(SITE) if state["group"]], STEP_S,
               "no state of the group is left")
    check_unchanged(lab, before)
    lab.configure(SITE, *lab.declared_block(SITE, "gsa member red"))
    await_registered(lab)
    check_unchanged(lab, before)


@case("reauthentication: the member registers over the new IKE_SA, and was never out of the group")
def reauthentication(lab):
    before, since = both(lab)[0], lab.registration(IDENTITY)["registered-at"]
    words = ("the key server ended the membership",), ("the IKE_SA to the key server is gone",)
    logged = [len(lab.log_lines(SITE, "charon", *each)) for each in words]
    group = [state for state in lab.states(SITE) if state["group"]]
    check(len(before) == 1 and all(before.values()), f"IKE_SAs with CHILD_SAs: {before}")
    check(group, "no state of the group")
    lab.run(SITE, "swanctl", "--rekey", "--ike", "red", "--reauth")
    wait_until(lambda: len(both(lab)[0]) == len(both(lab)[1]) == 1
               and set(both(lab)[0]) != set(before), STEP_S, "one IKE_SA, and another one")
    await_registered(lab)
    wait_until(lambda: lab.registration(IDENTITY)["ike-sa"] in map(int, both(lab)[1]), STEP_S,
               f"the registration of {since} is over the new IKE_SA")
    check([len(lab.log_lines(SITE, "charon", *each)) for each in words] == logged,
          "the member was out of the group")
    after = [state for state in lab.states(SITE) if state["group"]]
    check([state["keys"] for state in after] == [state["keys"] for state in group],
          "other states of the group")
    check_carries(lab)


if __name__ == "__main__":
    main()
