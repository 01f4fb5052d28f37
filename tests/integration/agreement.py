# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether key server and members agree: who is registered, which SAs there are, and that what
one member sends with, the other one receives with."""

import re

from topology import convergence, states
from topology.errors import LabError

REQID_BASE, REQID_MASK = 0x47000000, 0xFF000000


def made_sas(lab):
    """{group: [SPI of each SA, oldest first]} of the key server, and {group: generation}."""
    spis, generations = {}, {}
    entries = [entry for entry in lab.show("sr", "show gsa sa").get("sa", [])
               if entry["role"] == "key-server"]
    for entry in sorted(entries, key=lambda entry: entry["generation"]):
        spis.setdefault(entry["group"], []).append(entry["spi"])
        generations[entry["group"]] = entry["generation"]
    return spis, generations


def ike_sas(lab, name):
    """{unique id: initiator's SPI} of a node's charon."""
    text = lab.run(name, "swanctl", "--list-sas", "--raw", check=False)
    return {int(number): spi for number, spi in
            re.findall(r"uniqueid=(\d+) version=2 state=ESTABLISHED .*?initiator-spi=(\w+)", text)}


def registration_faults(lab):
    expected = convergence.expected_registrations(lab.topology)
    entries = {(entry["group"], entry["identity"]): entry for entry in lab.registrations()}
    for key in sorted(expected ^ set(entries)):
        yield f"registration of {key}: {'missing' if key in expected else 'not expected'}"
    here = ike_sas(lab, "sr")
    there = {node.name: set(ike_sas(lab, node.name).values()) for node in lab.topology.gateways}
    for group in lab.topology.groups.values():
        for member in group.members:
            entry = entries.get((group.name, member.identity), {})
            if entry.get("stale") or here.get(entry.get("ike-sa")) not in there[member.node]:
                yield f"{member.name} is not registered over an IKE_SA that both have: {entry}"


def sa_faults(lab):
    spis, _ = made_sas(lab)
    for group in lab.topology.groups.values():
        made = spis.get(group.name, [])
        for member in group.members:
            entry = lab.member(member.node, group.name, "registered")
            held = (entry or {}).get("sa", [])
            if not held or not made or held[-1]["spi"] != made[-1]:
                yield f"{member.name} holds {held}, the key server {made}"
            for sa in held:
                if sa["spi"] not in made and sa["phase"] != "retiring":
                    yield f"{member.name} holds {sa}, which the key server has not"


def kernel_faults(lab):
    """What one sends with, the other one receives with."""
    kernel = {node.name: [state for state
                          in states.parse(lab.run(node.name, "ip", "xfrm", "state"))
                          if state["reqid"] & REQID_MASK == REQID_BASE]
              for node in lab.topology.gateways}
    for group in lab.topology.groups.values():
        for one in group.sites:
            for other in group.sites:
                if one != other:
                    yield from pair_faults(lab, kernel, one, other)


def pair_faults(lab, kernel, one, other):
    source, destination = (str(lab.topology.nodes[name].address) for name in (one, other))
    sent = [state for state in kernel[one]
            if (state["source"], state["destination"]) == (source, destination)]
    taken = {(state["spi"], state["keys"]) for state in kernel[other]
             if state["destination"] == destination and state["source"] in (source, "0.0.0.0")}
    if not sent:
        yield f"{one} has no state to send to {other}"
    for state in sent:
        if (state["spi"], state["keys"]) not in taken:
            yield f"{one} may send with SPI {state['spi']:#x}, {other} does not take that"


def faults(lab):
    """What both sides do not agree about; empty: all is well."""
    found = []
    for source in (registration_faults, sa_faults, kernel_faults):
        try:
            found += source(lab)
        except LabError as error:
            found.append(str(error))
    return found
