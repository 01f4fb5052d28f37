#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""bench mesh: until every LAN of N sites reaches every other one.

    host1 ── site1 ──┐
      ...      ...   ├── provider ── sr        topologies `mesh` and `pairwise-mesh`
    hostN ── siteN ──┘

  group     one group security association; FRR and gcksd run already, charon starts
  pairwise  stock strongSwan with a tunnel between every two sites; charon starts

The clock runs from the start of all charons until every pair of hosts has answered. The
kernel has met both runs' ciphers before: a guest takes a second to load each. Messages are
the IKE packets that the provider forwarded. Runs in a guest; a JSON object a line.
"""

import argparse
import json
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))

from topology import capture, configuration, daemons, declaration  # noqa: E402
from topology import live, namespaces, ping  # noqa: E402
from topology.errors import LabError  # noqa: E402
from topology.wait import wait_until  # noqa: E402

LIMIT_S = 900
SESSIONS_S = 120


def programs(prefix):
    if prefix is None:
        return daemons.Programs()
    return daemons.Programs({"LAB_PREFIX": prefix})


def load_ciphers(node):
    """A state with each run's cipher, added and removed."""
    key, longer = f"0x{'61' * 32}", f"0x{'61' * 36}"
    state = "src 192.0.2.1 dst 192.0.2.2 proto esp spi"
    namespaces.ip_batch([
        f"xfrm state add {state} 0x5001 mode tunnel enc cbc(aes) {key} "
        f"auth-trunc hmac(sha256) {key} 128",
        f"xfrm state add {state} 0x5002 mode tunnel aead rfc4106(gcm(aes)) {longer} 128",
        f"xfrm state delete {state} 0x5001", f"xfrm state delete {state} 0x5002"], node)


def sessions_up(lab):
    peers = lab.show("sr", "show bgp summary").get("ipv4Unicast", {}).get("peers", {})
    return len(peers) == len(lab.topology.gateways) and \
        all(peer["state"] == "Established" for peer in peers.values())


def measure(name, topology, prefix):
    os.environ["LAB_RUN"] = f"/run/lab-{name}"
    supervisor = daemons.Supervisor(topology, programs(prefix))
    lab = live.Lab(topology, supervisor)
    try:
        namespaces.create(topology)
        configuration.generate(topology, supervisor.programs.plugins,
                               supervisor.programs.vtysh_definitions)
        if topology.groups:
            supervisor.start_all(daemons.FRR_DAEMONS)
            wait_until(lambda: sessions_up(lab), SESSIONS_S, "all BGP sessions are up")
        load_ciphers("provider")
        flows = lab.host_flows()
        with capture.Capture(lab, "provider", "mesh") as crossed:
            start = time.monotonic()
            supervisor.start_all(("charon",))
            answered = ping.answering(flows, LIMIT_S)
            seconds = time.monotonic() - start
        if answered != flows:
            raise LabError(f"{name}: only {len(answered)} of {len(flows)} pairs answer")
        ike = sum(number for (kind, _, _), number in crossed.count().items()
                  if kind and kind.startswith("IKE"))
        # both ends of an IKE_SA list it, and the provider sees a packet come and go
        sas = sum(lab.run(node.name, supervisor.programs.swanctl, "--list-sas")
                  .count("ESTABLISHED") for node in topology.of_kind("sr", "gateway"))
        return {"seconds": round(seconds, 2), "ike_sas": sas // 2, "ike_messages": ike // 2,
                "pairs": len(flows)}
    finally:
        supervisor.kill_all()
        namespaces.remove(topology)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sites", type=int, default=16)
    options = parser.parse_args()
    size = f":nodes.site.count={options.sites},nodes.host.count={options.sites}"
    stock = os.environ["LAB_STRONGSWAN_STOCK_PREFIX"]
    results = {}
    try:
        for name, declared, prefix in (("group", "mesh", None),
                                       ("pairwise", "pairwise-mesh", stock)):
            results[name] = measure(name, declaration.load(declared + size), prefix)
            print(json.dumps({"bench": "mesh", "run": name, "sites": options.sites,
                              **results[name]}), flush=True)
    except (OSError, LabError) as error:
        sys.exit(f"bench mesh: {error}")
    group, pairwise = results["group"], results["pairwise"]
    print(json.dumps({
        "bench": "mesh", "sites": options.sites, "group_seconds": group["seconds"],
        "pairwise_seconds": pairwise["seconds"],
        "ratio": round(group["seconds"] / pairwise["seconds"], 3),
        "group_ike_sas": group["ike_sas"], "pairwise_ike_sas": pairwise["ike_sas"],
        "group_ike_messages": group["ike_messages"],
        "pairwise_ike_messages": pairwise["ike_messages"],
    }), flush=True)


if __name__ == "__main__":
    main()
