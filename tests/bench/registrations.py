#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""bench registrations: what GSA_REGISTRATION costs a key server, above the IKE_SA it comes over.

    ike_load (members) ── loopback, UDP 500 ── charon + plugin ── gcksd ── store, on a disk

The same charon, members and network, in turn, several rounds, fresh daemons each:

    run            exchanges                                plugin, gcksd
    plain          IKE_SA_INIT, IKE_AUTH                    not loaded
    registrations  IKE_SA_INIT, IKE_AUTH, GSA_REGISTRATION  yes
    gsa_auth       IKE_SA_INIT, GSA_AUTH                    yes

Members authenticate with a pre-shared key, which is the cheapest for charon, so the ratio is the
least favourable. A number of members are under way at any time. Every registration is in the
store, synced, before its answer leaves. The members' work is on the same CPUs.

Prints a JSON object a run and one with the ratios of the medians: per second, and by the CPU time of
the key server's daemons.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../ike"))

from key_server import KeyServer, Load, own_namespaces, programs  # noqa: E402
from topology.errors import LabError                              # noqa: E402

RUNS = ("plain", "registrations", "gsa_auth")


def measure(options, run):
    with tempfile.TemporaryDirectory(prefix="bench-registrations.", dir=options.folder) as folder, \
            KeyServer(programs(), folder) as server:
        if run == "plain":
            server.start_charon(with_plugin=False)
        else:
            server.start()
        before = [daemon.cpu_seconds() for daemon in server.daemons()]
        with Load(options.members, group=None if run == "plain" else "load",
                  gsa_auth=run == "gsa_auth", in_flight=options.in_flight) as load:
            report = load.report()
        cpu = [daemon.cpu_seconds() - start
               for daemon, start in zip(server.daemons(), before)]
        if report["members"] != options.members:
            raise LabError(f"{run}: only {report['members']} of {options.members} members came "
                           f"in: {report}\n{server.charon.tail()}")
        if run != "plain":
            entries = len(server.show("registrations").get("registration", []))
            if entries != options.members:
                raise LabError(f"gcksd knows {entries} of {options.members} registrations")
        return {"seconds": report["seconds"],
                "per_second": round(options.members / report["seconds"], 1),
                "charon_cpu_seconds": round(cpu[0], 2),
                "gcksd_cpu_seconds": round(sum(cpu[1:]), 2),
                "retransmitted": report["retransmitted"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, default=2000)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", default="/var/tmp", help="where the store's disk is")
    options = parser.parse_args()
    own_namespaces()
    results = {run: [] for run in RUNS}
    try:
        for number in range(options.rounds):
            for run, found in results.items():
                found.append(measure(options, run))
                print(json.dumps({"bench": "registrations", "run": run, "round": number + 1,
                                  **found[-1]}), flush=True)
    except (OSError, LabError) as error:
        sys.exit(f"bench registrations: {error}")
    medians = {run: {key: statistics.median(result[key] for result in found)
                     for key in ("per_second", "charon_cpu_seconds", "gcksd_cpu_seconds")}
               for run, found in results.items()}
    summary = {"bench": "registrations", "members": options.members, "rounds": options.rounds,
               "in_flight": options.in_flight}
    for run, values in medians.items():
        summary |= {f"{run}_{key}": value for key, value in values.items()}
    plain = medians["plain"]
    for run, suffix in (("registrations", ""), ("gsa_auth", "_gsa_auth")):
        cpu = medians[run]["charon_cpu_seconds"] + medians[run]["gcksd_cpu_seconds"]
        summary |= {f"ratio{suffix}": round(medians[run]["per_second"] / plain["per_second"], 3),
                    f"cpu_ratio{suffix}": round(plain["charon_cpu_seconds"] / cpu, 3)}
    print(json.dumps(summary), flush=True)


if __name__ == "__main__":
    main()
