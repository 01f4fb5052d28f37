# SPDX-License-Identifier: GPL-2.0-or-later
"""Statements about the running topology that several tests make."""

from harness import check, wait_until
from topology import capture, convergence, ping

RECOVER_S = 90
QUIET_S = 2.5


def converged(lab):
    """Everything is as at the start: registrations, routes in use, traffic."""
    convergence.await_converged(lab, RECOVER_S)


def check_reachability(lab, without=()):
    """Exactly the pairs that the declaration says, less those of hosts in `without`."""
    expected = {str(flow) for flow in lab.host_flows(reachable=True)
                if not {flow.source, flow.target} & set(without)}
    found = reachability_of(lab, expected)
    check(found == expected, f"missing {sorted(expected - found)}, too many "
          f"{sorted(found - expected)}")


def reachability_of(lab, expected):
    """Host pairs that answer, as names; those that are not expected are not waited for long."""
    flows = {str(flow): flow for flow in lab.host_flows()}
    answered = ping.answering([flows[name] for name in expected], 10)
    answered += ping.answering([flow for name, flow in flows.items() if name not in expected],
                               QUIET_S)
    return {str(flow) for flow in answered}


def check_nothing_clear(taken: capture.Capture):
    clear = taken.clear()
    check(not clear, lambda: f"{len(clear)} packets crossed the provider that must not, first: "
          + "; ".join(str(packet) for packet in clear[:5]))


def check_esp_seen(taken):
    check(any(kind == "ESP" for kind, _, _ in taken.count()), "no ESP was captured at all")


def bgp_prefixes(lab, node):
    """{prefix: set of next hops} of a bgpd's IPv4 unicast table, all paths."""
    table = lab.show(node, "show bgp ipv4 unicast").get("routes", {})
    return {prefix: {hop["ip"] for path in paths for hop in path.get("nexthops", [])}
            for prefix, paths in table.items()}


def sessions(lab, node):
    """{peer: (state, connections made)} of a bgpd."""
    peers = lab.show(node, "show bgp neighbors")
    return {address: (peer["bgpState"], peer["connectionsEstablished"])
            for address, peer in peers.items()}


def await_log(lab, node, daemon, *words, deadline_s=30):
    """A line of a daemon's log that has all the words."""
    return wait_until(lambda: lab.log_lines(node, daemon, *words), deadline_s,
                      f"a line of {daemon}'s log on {node} with {', '.join(map(repr, words))}",
                      diagnose=lambda: lab.supervisor.tail(
                          node, "charon.log" if daemon == "charon" else f"frr/{daemon}.log", 10))


def check_flows_undisturbed(flows, start, end, allowed=0.02):
    """Hardly a probe of an interval was lost (a full queue of a loaded machine may drop one)."""
    for flow in flows:
        lost, sent = flow.lost_between(start, end)
        check(sent > 0, f"{flow}: nothing was sent")
        check(lost <= max(1, allowed * sent), lambda flow=flow, lost=lost, sent=sent:
              f"{flow}: {lost} of {sent} probes lost, sent "
              + ", ".join(f"{flow.sent[number] - start:.1f}" for number in range(len(flow.sent))
                          if number not in flow.answered and start <= flow.sent[number] < end)
              + f" s after the beginning of {end - start:.1f} s")


def still_answering(flow, count=5):
    """The last probes, but for those just sent, were answered."""
    last = len(flow.sent) - 3
    return last >= count and all(number in flow.answered for number in range(last - count, last))
