# SPDX-License-Identifier: GPL-2.0-or-later
"""When a topology has converged, and what is missing when it does not.

Traffic comes first: pairs that answer need registrations, routes, states and policies. The
rest is then asked once, as answers through a half-open gateway must not pass for convergence.
"""

from . import ping
from .errors import LabError, Timeout
from .wait import wait_until

CONVERGED_S = 90
LOG_LINES = 6


def await_converged(lab, deadline_s=CONVERGED_S):
    topology = lab.topology
    try:
        if topology.groups:
            wait_until(lambda: not missing_registrations(lab), deadline_s, "all registrations")
            wait_until(lambda: not missing_routes(lab), deadline_s, "all group routes are in use")
        await_traffic(lab, deadline_s)
    except Timeout as timeout:
        raise Timeout(f"{timeout}\n{report(lab)}") from None


def await_traffic(lab, deadline_s=CONVERGED_S):
    flows = lab.host_flows(reachable=True) + list(lab.tunnel_flows())
    answered = ping.answering(flows, deadline_s, silent_probes=0)
    silent = [str(flow) for flow in flows if flow not in answered]
    if silent:
        raise Timeout(f"not within {deadline_s} s: an answer from {', '.join(silent)}")


def expected_registrations(topology):
    return {(group.name, member.identity) for group in topology.groups.values()
            for member in group.members if not member.fault}


def missing_registrations(lab):
    """On the S/R and at each member: (group, identity)."""
    expected = expected_registrations(lab.topology)
    # a stale one only waits for its member, or for charon to confirm it
    missing = expected - {(entry["group"], entry["identity"]) for entry in lab.registrations()
                          if not entry.get("stale")}
    for group in lab.topology.groups.values():
        for member in group.members:
            if not member.fault and group.name not in lab.registered_groups(member.node):
                missing.add((group.name, member.identity))
    return missing


def expected_routes(topology, site):
    """{(group, prefix): gateway}: what a site is to have from the others of its groups."""
    routes = {}
    for group in topology.groups_of(site):
        for member in group.members:
            if member.node != site and not member.fault:
                for prefix in exported(topology, member):
                    routes[(group.name, str(prefix))] = str(topology.nodes[member.node].address)
    return routes


def exported(topology, member):
    node = topology.nodes[member.node]
    if member.export != "connected":
        return member.export
    return [node.lan] + [dummy.address.network for dummy in node.dummies]


def expected_states(topology, node):
    """{(group, source, destination)} of the states that a site has when no rekey is under way.

    With sharing group one inbound state takes the packets of all senders.
    """
    own, expected = str(node.address), set()
    for group in topology.groups_of(node.name):
        others = {str(topology.nodes[site].address) for site in group.sites if site != node.name}
        senders = others if group.sharing == "pairwise" else {"0.0.0.0"}
        expected |= {(group.name, sender, own) for sender in senders}
        expected |= {(group.name, own, other) for other in others}
    return expected


def missing_routes(lab):
    """(site, group, prefix) of routes that are not ready for use."""
    missing = []
    for node in lab.topology.gateways:
        ready = lab.group_routes(node.name) if lab.topology.groups_of(node.name) else {}
        missing += [(node.name, *key)
                    for key, gateway in expected_routes(lab.topology, node.name).items()
                    if ready.get(key) != gateway]
    return missing


def report(lab):
    """What is missing at each node, with the ends of the logs that should tell why."""
    topology = lab.topology
    lines = []

    def ask(what, function):
        try:
            answer = function()
        except (LabError, OSError) as error:
            answer = f"cannot be asked: {error}"
        if answer:
            lines.append(f"{what}: {answer}")

    if topology.groups:
        ask("not registered", lambda: sorted(missing_registrations(lab)))
        ask("routes not in use", lambda: missing_routes(lab))
    suspects = [node.name for node in topology.of_kind("sr", "gateway")]
    for name in suspects:
        down = [daemon for daemon in lab.supervisor.daemons_of(name)
                if not lab.supervisor.running(name, daemon)]
        if down:
            lines.append(f"{name}: {', '.join(down)} not running")
    for name in suspects[:4]:
        for daemon in lab.supervisor.daemons_of(name):
            if daemon in ("gcksd", "bgpd", "charon"):
                ask(f"{name} {daemon}", lambda name=name, daemon=daemon: "\n    " + "\n    ".join(
                    lab.log(name, daemon).splitlines()[-LOG_LINES:]))
    return "\n".join(lines)
