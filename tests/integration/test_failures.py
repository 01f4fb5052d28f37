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
"""Each daemon is killed, on the S/R and on a site, while all hosts talk: nothing goes out in
clear, the traffic of others goes on, and all is well again when the daemon is back."""

import time

from harness import case, main, wait_until
from observe import (check_esp_seen, check_flows_undisturbed, check_nothing_clear,
                     check_reachability, converged, sessions, still_answering)
from topology import ping
from topology.capture import Capture

NOTICED_S = 120
RECOVERED_S = 120
SITE = "site3"    # in both groups


def lost_lines(lab, name):
    """What its own clients, and nobody else, say of a gcksd that is away."""
    return [len(lab.log_lines(name, client, "gcksd", "lost")) for client in ("bgpd", "charon")]


def noticed(lab, name, daemon, before):
    """Whether the rest of the system has seen that the daemon is away."""
    server = str(lab.topology.key_server.address)
    if daemon == "bgpd":
        if name == "sr":
            return all(sessions(lab, node.name)[server][0] != "Established"
                       for node in lab.topology.gateways)
        peer = str(lab.topology.nodes[name].address)
        return sessions(lab, "sr")[peer][0] != "Established"
    if daemon == "charon":
        if name == "sr":
            return all(not lab.registered_groups(node.name) for node in lab.topology.gateways)
        return not {entry["identity"] for entry in lab.registrations()
                    if entry["identity"].startswith(name) and not entry.get("stale")}
    return all(now > then for now, then in zip(lost_lines(lab, name), before))


def survive(lab, name, daemon):
    flows = lab.host_flows(reachable=True) + list(lab.tunnel_flows())
    host = "".join(node.name for node in lab.topology.hosts_behind(name)) if name != "sr" else ""
    others = [flow for flow in flows if not {flow.source, flow.target} & {name, host}]
    with Capture(lab, "provider", f"{name}-{daemon}") as capture, ping.Traffic(flows) as traffic:
        wait_until(lambda: all(still_answering(flow) for flow in flows), RECOVERED_S,
                   "all traffic flows")
        before = lost_lines(lab, name)
        start = time.monotonic()
        lab.kill(name, daemon)
        try:
            wait_until(lambda: noticed(lab, name, daemon, before), NOTICED_S,
                       f"{daemon} of {name} is missed")
        finally:
            lab.start(name, daemon)
        converged(lab)
        end = time.monotonic()
        wait_until(lambda: all(still_answering(flow) for flow in flows), RECOVERED_S,
                   "all traffic flows again", diagnose=lambda: "silent: " + ", ".join(
                       str(flow) for flow in flows if not still_answering(flow)))
        traffic.stop()
    check_esp_seen(capture)
    check_nothing_clear(capture)
    check_flows_undisturbed(others, start, end)
    check_reachability(lab)


def add_case(name, daemon):
    def killed(lab):
        survive(lab, name, daemon)
    killed.__name__ = f"{name}_{daemon}"
    case(f"{daemon} of {name} is killed: no clear text, others undisturbed, all recovers")(killed)


for _daemon in ("bgpd", "gcksd", "charon"):
    for _name in ("sr", SITE):
        add_case(_name, _daemon)


if __name__ == "__main__":
    main()
