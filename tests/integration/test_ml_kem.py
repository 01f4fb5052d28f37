#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: ml-kem
#
#   host1 ── site1 ──┐
#                    ├── provider ── sr
#   host2 ── site2 ──┘
#
#   red (PSK): site1 site2, over IKE_SAs with a second, ML-KEM-768 key exchange.
"""Registrations whose IKE_SA is keyed by ECDH and ML-KEM: who records them now and breaks ECDH
later does not read the group's keys.
"""

import re

from harness import case, check, main, wait_until
from observe import check_esp_seen, check_nothing_clear, check_reachability
from topology import capture

SITE = "site1"
IDENTITY = "site1.red.example"
STEP_S = 60


def ike_sas(lab, node):
    """{unique id: (key exchange, additional key exchange)} of the group's IKE_SAs."""
    found = {}
    for event in lab.run(node, "swanctl", "--list-sas", "--raw").splitlines():
        ike_sa = re.search(r"list-sa event \{red \{uniqueid=(\d+) .*?state=ESTABLISHED", event)
        if ike_sa:
            exchanges = re.search(r" dh-group=(\S+)(?:.*? ake1=(\S+))?", event)
            found[ike_sa.group(1)] = exchanges.groups()
    return found


def check_hybrid(lab, node):
    found = ike_sas(lab, node)
    check(found and set(found.values()) == {("ECP_384", "ML_KEM_768")},
          lambda: f"key exchanges of {node}'s IKE_SAs: {found}, "
          + lab.run(node, "swanctl", "--list-sas", "--raw"))
    return found


@case("every IKE_SA of a registration is keyed by both exchanges")
def both_exchanges(lab):
    check(len(check_hybrid(lab, "sr")) == 2, "the S/R has not two IKE_SAs")
    for site in ("site1", "site2"):
        check_hybrid(lab, site)
        check(lab.registration(f"{site}.red.example"), f"{site} is not registered")


@case("the members reach each other under the keys that they got so")
def traffic(lab):
    with capture.Capture(lab, "provider", "ml-kem") as taken:
        check_reachability(lab)
    check_nothing_clear(taken)
    check_esp_seen(taken)


@case("an IKE_SA that is rekeyed gets both exchanges again, and the registration stays")
def rekeyed(lab):
    before = check_hybrid(lab, SITE)
    since = lab.registration(IDENTITY)["registered-at"]
    lab.run(SITE, "swanctl", "--rekey", "--ike", "red")
    wait_until(lambda: ike_sas(lab, SITE) and not set(ike_sas(lab, SITE)) & set(before), STEP_S,
               "the rekeyed IKE_SA")
    check_hybrid(lab, SITE)
    check_hybrid(lab, "sr")
    check(lab.registration(IDENTITY)["registered-at"] == since, "it registered again")
    check(lab.member(SITE, "red", "registered"), "the member does not hold the group's SA")
    check_reachability(lab)
    # the keys of the next SA are wrapped under the new IKE_SA's own key
    old = {state["spi"] for state in lab.states(SITE)}
    lab.vtysh("sr", "gsa rekey group red")
    wait_until(lambda: {state["spi"] for state in lab.states(SITE)} - old, STEP_S,
               "a state of the group's new SA")
    check_reachability(lab)


if __name__ == "__main__":
    main()
