#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: two-groups
"""Shows the main job on the live system; ends with an error if anything is not as it says."""

import os
import sys
import time

from harness import Failed, check, live, wait_until
from observe import bgp_prefixes, still_answering
from topology import convergence, ping
from topology.capture import Capture
from topology.declaration import natural
from topology.errors import LabError

EXPELLED, HOST = "site2", "host2"
STEP_S = 60

PICTURE = """\
  host1 10.1.0.2 ── site1 ──┐              ┌── site3 ── host3 10.3.0.2
                            ├── provider ──┤
  host2 10.2.0.2 ── site2 ──┘       │      └── site4 ── host4 10.4.0.2
                                    sr (key server and route reflector)"""

started = time.monotonic()


def title(text):
    print(f"\n== {text}  [{time.monotonic() - started:.1f} s]", flush=True)


def table(heads, rows):
    cells = [[str(cell) for cell in row] for row in [heads, *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    for row in cells:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def picture(lab):
    print(PICTURE)
    for group in lab.topology.groups.values():
        print(f"  group {group.name} (identifier {group.identifier}, {group.credential}): "
              + ", ".join(group.sites))


def registrations(lab):
    title("Registrations on the S/R (show gsa registrations)")
    entries = sorted(lab.registrations(), key=lambda entry: (entry["group"], entry["identity"]))
    table(("group", "member", "gateway", "credential", "IKE_SA"),
          [(entry["group"], entry["identity"], entry["address"], entry["credential"],
            entry["ike-sa"]) for entry in entries])
    expected = convergence.expected_registrations(lab.topology)
    check({(entry["group"], entry["identity"]) for entry in entries} == expected,
          f"expected were {sorted(expected)}")


def sites(lab):
    title("Each site: its groups, their routes, its group SAs in the kernel")
    rows = []
    for node in lab.topology.gateways:
        routes = lab.group_routes(node.name)
        states = lab.states(node.name)
        check(routes == convergence.expected_routes(lab.topology, node.name),
              f"routes of {node.name}: {routes}")
        found = {(state["group"], state["source"], state["destination"])
                 for state in states if state["group"]}
        check(found == convergence.expected_states(lab.topology, node),
              f"{node.name} has the states {sorted(found)}")
        for group in lab.topology.groups_of(node.name):
            mine = [state for state in states if state["group"] == group.name]
            inbound = [state for state in mine if state["destination"] == str(node.address)]
            rows.append((node.name, group.name,
                         ", ".join(f"{prefix} by {gateway}" for (name, prefix), gateway
                                   in sorted(routes.items()) if name == group.name),
                         f"{len(inbound)} in, {len(mine) - len(inbound)} out, SPI "
                         f"{mine[0]['spi'] & ~lab.sender_mask(group.name):#010x}, "
                         f"sharing {group.sharing}"))
    table(("site", "group", "routes from the group", "SAs"), rows)


def matrix(lab, title_text, without=()):
    """Prints and checks who reaches whom while a capture runs; returns the capture."""
    title(title_text)
    hosts = [node.name for node in lab.topology.of_kind("host")]
    flows = {(flow.source, flow.target): flow for flow in lab.host_flows()}

    def expected(pair):
        return lab.topology.reachable(*pair) and not set(pair) & set(without)
    with Capture(lab, "provider", f"demo-{int(time.monotonic())}") as capture:
        answered = ping.answering([flows[pair] for pair in flows if expected(pair)], 20)
        answered += ping.answering([flows[pair] for pair in flows if not expected(pair)], 1.5)
    found = {(flow.source, flow.target) for flow in answered}

    def cell(one, other):
        if one == other:
            return "."
        text = "reaches" if (one, other) in found else "no"
        return text if expected((one, other)) == ((one, other) in found) else text + " WRONG"
    table(("from \\ to", *hosts), [(one, *(cell(one, other) for other in hosts)) for one in hosts])
    wrong = [pair for pair in flows if expected(pair) != (pair in found)]
    check(not wrong, f"not as declared: {wrong}")
    print("  as declared: pairs of sites that share a group reach each other, no other does"
          + (f"; {', '.join(without)} reaches nobody" if without else ""))
    return capture


def crossed(capture):
    """What the provider saw, by kind."""
    clear = capture.clear()
    kinds = {}
    for (kind, source, target), number in capture.count().items():
        if kind and kind != "ARP":
            total, pairs = kinds.get(kind, (0, set()))
            kinds[kind] = (total + number, pairs | {tuple(sorted((source, target), key=natural))})
    table(("what", "packets", "between"),
          [(kind, total, ", ".join(f"{one}–{other}" for one, other in sorted(pairs)))
           for kind, (total, pairs) in sorted(kinds.items())])
    check("ESP" in kinds, "no ESP was seen")
    check(not clear, f"{len(clear)} packets that must not cross, first {clear[0] if clear else ''}")
    print(f"  {len(capture.packets)} packets, none else, none with a host's address, none with the "
          f"probes' text\n  ({capture.path})")


def cost(lab):
    title("What it takes")
    sas = lab.run("sr", "swanctl", "--list-sas").count("ESTABLISHED")
    topology = lab.topology
    names = [node.name for node in topology.gateways]
    tunnels = sum(1 for index, one in enumerate(names) for other in names[index + 1:]
                  if topology.shared_groups(one, other))
    table(("", "IKE_SAs", "tunnels if every two sites had their own"),
          [("here (live)", f"{sas} registrations", tunnels),
           ("1,000 sites, one group", "1,000 registrations", f"{1000 * 999 // 2:,}")])
    check(sas == len(convergence.expected_registrations(topology)), f"the S/R has {sas} IKE_SAs")


def clear_member(lab):
    title(f"clear gsa member: {EXPELLED} is put out, and comes back by itself")
    identity = f"{EXPELLED}.blue.example"
    old = lab.registration(identity)["ike-sa"]
    lab.vtysh("sr", f"clear gsa member {identity}")
    new = wait_until(lambda: lab.registration(identity)
                     and lab.registration(identity)["ike-sa"] != old
                     and lab.registration(identity), STEP_S, f"{identity} is back")
    print(f"  IKE_SA {old} ended, registered again over IKE_SA {new['ike-sa']}")
    wait_until(lambda: not convergence.missing_routes(lab), STEP_S, "routes are in use again")


def expel(lab):
    identity = f"{EXPELLED}.blue.example"
    title(f"deny identity {identity}: {EXPELLED} is expelled from blue")
    others = [flow for flow in lab.host_flows(reachable=True)
              if HOST not in (flow.source, flow.target)]
    with ping.Traffic(others, 0.1) as traffic:
        lab.configure("sr", "gsa group blue", f"deny identity {identity}")
        wait_until(lambda: not lab.registration(identity), STEP_S, "the registration is ended")
        for node in ("site1", "site3"):
            wait_until(lambda node=node: "10.2.0.0/24" not in bgp_prefixes(lab, node), STEP_S,
                       f"10.2.0.0/24 has left {node}")
            print(f"  10.2.0.0/24 has left {node}")
        wait_until(lambda: not lab.group_routes(EXPELLED), STEP_S, "no group route left there")
        print(f"  {EXPELLED} has no route of the group any more")
        line = wait_until(lambda: lab.log_lines("sr", "gcksd", identity, "refused"), STEP_S,
                          "the next attempt is refused")[-1]
        print(f"  the S/R's log: {line[:200]}")
        wait_until(lambda: all(still_answering(flow) for flow in others), STEP_S,
                   "the others' traffic goes on")
        traffic.stop()
        lost = sum(len(flow.sent) - len(flow.answered) for flow in others)
        print(f"  meanwhile the others sent {sum(len(flow.sent) for flow in others)} probes and "
              f"lost {lost}")
    check(not lab.registration(identity), "it is registered")


def show(lab):
    """False: something is not as it says."""
    try:
        picture(lab)
        registrations(lab)
        sites(lab)
        capture = matrix(lab, "Who reaches whom, LAN to LAN (ping between all hosts)")
        title("What crossed the provider meanwhile (tcpdump on all of its interfaces)")
        crossed(capture)
        cost(lab)
        clear_member(lab)
        expel(lab)
        capture = matrix(lab, "Who reaches whom now", without=(HOST,))
        title(f"What crossed the provider meanwhile: {HOST}'s traffic failed closed")
        crossed(capture)
    except (Failed, LabError) as error:
        print(f"\ndemo: NOT as it should be: {error}", flush=True)
        print(convergence.report(lab), file=sys.stderr)
        return False
    print(f"\nAll of it held. {time.monotonic() - started:.1f} s, after the topology had come up; "
          f"logs in {os.environ['LAB_RUN']} end with the guest.")
    return True


if __name__ == "__main__":
    sys.exit(0 if show(live.running()) else 1)
