#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: two-servers
#
#   host1 ── site1 ──┐              ┌── sr
#                    ├── provider ──┤
#   host2 ── site2 ──┘              └── backup
#
#   blue: both sites. Their key servers: an address where nobody is, sr, backup.
"""Members try their key servers in order, and go to the next one when theirs is gone."""

from ipaddress import IPv4Network

from harness import case, check, main, wait_until
from observe import check_reachability
from topology import ping
from topology.capture import Capture

SITES = ("site1", "site2")
STEP_S = 90
# the second and the third of the list
SR, BACKUP = "blue", "blue-3"


def await_registered(lab, connection, server):
    for site in SITES:
        member = wait_until(
            lambda site=site: (lab.member(site, "blue", "registered") or {})
            .get("connection-in-use") == connection and lab.member(site, "blue"),
            STEP_S, f"{site} is registered over {connection}",
            diagnose=lambda site=site: lab.members(site))
        address = str(lab.topology.nodes[server].address)
        check(member["key-server"] == address, f"{site}: not {address}: {member}")
    wait_until(lambda: live(lab, server) == {f"{site}.blue.example" for site in SITES}, STEP_S,
               f"{server} has both", diagnose=lambda: live(lab, server))


def live(lab, server):
    return {entry["identity"] for entry in
            lab.show(server, "show gsa registrations").get("registration", [])
            if not entry.get("stale")}


def await_traffic(lab):
    flows = lab.host_flows(reachable=True)
    check(flows, "no hosts")
    answered = ping.answering(flows, STEP_S, silent_probes=0)
    check(len(answered) == len(flows), f"only these answer: {[str(flow) for flow in answered]}")


def spi(lab, site):
    return lab.member(site, "blue")["spi"]


def check_no_lan(capture):
    """Nothing between hosts crossed the provider; attempts at the silent key server may."""
    lans = IPv4Network("10.0.0.0/8")
    clear = [packet for packet in capture.clear()
             if packet.source in lans or packet.destination in lans]
    check(not clear, lambda: f"{len(clear)} packets of hosts went in clear, first: {clear[0]}")


@case("the first of the list does not answer: the second one it is")
def second(lab):
    await_registered(lab, SR, "sr")
    check(live(lab, "backup") == set(), f"somebody is at the backup: {live(lab, 'backup')}")
    check_reachability(lab)


@case("their key server dies: both find the third and get its keys, nothing goes in clear")
def third(lab):
    before = spi(lab, "site1")
    with Capture(lab, "provider", "third") as capture:
        lab.kill("sr", "charon")
        await_registered(lab, BACKUP, "backup")
        await_traffic(lab)
    check_no_lan(capture)
    spis = {spi(lab, site) for site in SITES}
    check(len(spis) == 1 and before not in spis, f"SAs {spis} after {before}")


@case("and back, when that one dies and the other lives again")
def back(lab):
    lab.start("sr", "charon")
    for site in SITES:
        check(lab.member(site, "blue", "registered")["connection-in-use"] == BACKUP,
              f"{site} has left a key server that answers: {lab.member(site, 'blue')}")
    with Capture(lab, "provider", "back") as capture:
        lab.kill("backup", "charon")
        await_registered(lab, SR, "sr")
        await_traffic(lab)
    check_no_lan(capture)
    lab.start("backup", "charon")
    check_reachability(lab)


if __name__ == "__main__":
    main()
