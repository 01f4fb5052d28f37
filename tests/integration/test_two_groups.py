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
"""The main job: who reaches whom, by which routes and states, and what the provider sees."""

import re

from harness import case, check, main
from observe import bgp_prefixes, check_esp_seen, check_nothing_clear, check_reachability
from topology import convergence, ping
from topology.capture import Capture


@case("the S/R has the five registrations, each over an IKE_SA without CHILD_SA")
def registrations(lab):
    expected = convergence.expected_registrations(lab.topology)
    check(len(expected) == 5, f"the declaration has {len(expected)} memberships")
    found = {(entry["group"], entry["identity"]) for entry in lab.registrations()}
    check(found == expected, f"found {sorted(found)}")
    sas = lab.run("sr", "swanctl", "--list-sas", "--raw")
    ike_sas = re.findall(r"list-sa event \{(\S+) \{", sas)
    check(len(ike_sas) == 5, f"IKE_SAs on the S/R: {ike_sas}")
    check(re.findall(r"child-sas \{([^}]*)\}", sas) == [""] * 5, f"not childless: {sas}")


@case("hosts reach each other exactly where their sites share a group; no clear text crosses")
def matrix(lab):
    with Capture(lab, "provider", "matrix") as capture:
        check_reachability(lab)
    check_esp_seen(capture)
    check_nothing_clear(capture)
    pairs = {(source, target) for kind, source, target in capture.count() if kind == "ESP"}
    for node in lab.topology.gateways:
        for other in lab.topology.gateways:
            wanted = node != other and lab.topology.shared_groups(node.name, other.name)
            check(bool(wanted) == ((node.name, other.name) in pairs),
                  f"ESP from {node.name} to {other.name}: {'none' if wanted else 'seen'}")


@case("the bgpd of each site has its own groups' prefixes and not one of another group")
def tables(lab):
    topology = lab.topology
    plain = {str(network) for node in topology.gateways for network in node.networks}
    for node in topology.gateways:
        expected = {prefix: {gateway} for (_, prefix), gateway
                    in convergence.expected_routes(topology, node.name).items()}
        own = {str(prefix) for member in topology.memberships(node.name)
               for prefix in convergence.exported(topology, member)}
        found = {prefix: hops for prefix, hops in bgp_prefixes(lab, node.name).items()
                 if prefix not in plain | own}
        check(found == expected, f"{node.name} has {found} and should have {expected}")


@case("an ordinary route, without a group, reaches every site as in stock FRR")
def ordinary_route(lab):
    for node in lab.topology.gateways:
        table = bgp_prefixes(lab, node.name)
        for other in lab.topology.gateways:
            for network in other.networks:
                check(str(network) in table, f"{network} of {other.name} is not at {node.name}")
                # eBGP: the S/R is the next hop, as for every route that is not a group's
                hop = "0.0.0.0" if other == node else str(lab.topology.key_server.address)
                check(table[str(network)] == {hop},
                      f"{network} at {node.name} is by {table[str(network)]}, not {hop}")


@case("the S/R keeps group routes out of its own kernel")
def key_server_is_no_member(lab):
    routes = lab.run("sr", "ip", "route")
    check("10." not in routes.replace("198.18.10.", ""), f"routes of the S/R: {routes}")


@case("sharing group: one SPI and one key everywhere; pairwise: two of each for every pair")
def states(lab):
    topology = lab.topology
    keys = {}
    for node in topology.gateways:
        group_states = [state for state in lab.states(node.name) if state["group"]]
        expected = convergence.expected_states(topology, node)
        found = {(state["group"], state["source"], state["destination"])
                 for state in group_states}
        check(found == expected, f"{node.name} has {sorted(found)}, not {sorted(expected)}")
        for state in group_states:
            keys.setdefault(state["group"], set()).add((state["spi"], state["keys"]))
            pairwise = topology.groups[state["group"]].sharing == "pairwise"
            if not pairwise or state["source"] != str(node.address):
                check((state["replay_window"] >= 64) == pairwise, f"replay window of {state}")
            check(state["algorithms"] == (("rfc4106(gcm(aes))",) if pairwise
                                          else ("hmac(sha256)", "cbc(aes)")), f"ciphers of {state}")
    for name, found in keys.items():
        check(len(found) == keys_of(topology.groups[name]),
              lambda name=name, found=found: f"{name}: SPIs {sorted(spi for spi, _ in found)}")
    prefixes = {name: {spi & ~lab.sender_mask(name) for spi, _ in found}
                for name, found in keys.items()}
    check(all(len(found) == 1 for found in prefixes.values())
          and len({*prefixes["blue"], *prefixes["red"]}) == 2, f"SPIs of the groups: {prefixes}")


def keys_of(group):
    """How many keys the states of a group have in all."""
    sites = len(group.sites)
    return sites * (sites - 1) if group.sharing == "pairwise" else 1


@case("keys are in no log, no show output and no configuration")
def secrets(lab):
    keys = {key for node in lab.topology.gateways for state in lab.states(node.name)
            if state["group"] for key in state["keys"]}
    # encryption and integrity; one for both with AEAD
    check(len(keys) == sum(keys_of(group) * (1 if group.sharing == "pairwise" else 2)
                           for group in lab.topology.groups.values()),
          f"{len(keys)} different keys")
    for name in [node.name for node in lab.topology.of_kind("sr", "gateway")]:
        places = {f"log of {daemon}": lab.log(name, daemon)
                  for daemon in ("gcksd", "bgpd", "charon", "zebra", "mgmtd")}
        for line in ("show gsa group", "show gsa member", "show gsa registrations", "show gsa sa"):
            places[line] = str(lab.show(name, line))
        places["show running-config"] = lab.vtysh(name, "show running-config")
        for place, text in places.items():
            check(not any(key in text.lower().replace(":", "") for key in keys),
                  f"a key is in {place} of {name}")


@case("an ordinary IPsec tunnel of two members keeps its own states and carries traffic")
def ordinary_tunnel(lab):
    flows = list(lab.tunnel_flows())
    with Capture(lab, "provider", "tunnel") as capture:
        check(ping.answering(flows, 20) == flows, "the tunnel does not answer")
    check_nothing_clear(capture)
    check({("ESP", "site1", "site4"), ("ESP", "site4", "site1")} <= set(capture.count()),
          f"captured: {dict(capture.count())}")
    check(any(not state["group"] for state in lab.states("site1")), "no state of the tunnel")


@case("every show command gives JSON, with YANG's names")
def show_json(lab):
    for name in ("sr", "site3"):
        for line in ("show gsa group", "show gsa member", "show gsa registrations",
                     "show gsa sa", "show bgp gsa", "show bgp gsa routes",
                     "show bgp gsa group blue", "show bgp gsa group red"):
            check(isinstance(lab.show(name, line), dict), f"{line} json on {name}")
            check(lab.vtysh(name, line).strip(), f"{line} on {name} prints nothing")


@case("the configuration is in show running-config, is written, and survives a restart")
def configuration(lab):
    for name, daemon in (("sr", "gcksd"), ("sr", "bgpd"), ("site3", "gcksd"), ("site3", "bgpd")):
        before = running_configuration(lab, name)
        for line in lab.declared_lines(name):
            check(line in before, f"{name}: '{line}' is not in\n" + "\n".join(before))
        lab.vtysh(name, "write")
        lab.kill(name, daemon)
        lab.start(name, daemon)
        after = running_configuration(lab, name)
        check(after == before, f"{daemon} of {name} came back with\n" + "\n".join(after))
    convergence.await_converged(lab)


def running_configuration(lab, name):
    text = lab.vtysh(name, "show running-config")
    return [line.rstrip() for line in text.splitlines()
            if line.strip() not in ("", "!") and not line.startswith(("Building", "Current"))]


if __name__ == "__main__":
    main()
