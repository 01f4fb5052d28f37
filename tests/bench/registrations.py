#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""bench registrations: what a registration costs a key server, above the IKE_SA it comes over.

    ike_load (members) ── loopback, UDP 500 ── charon + plugin ── gcksd ── store, on a disk

The same charon, as it comes (16 worker threads), members and network, in turn, several rounds,
fresh daemons each; members with a pre-shared key, and with certificates (ECDSA, P-256, one CA):

    run            exchanges                                plugin, gcksd
    plain          IKE_SA_INIT, IKE_AUTH (childless)        not loaded
    probe          IKE_SA_INIT, IKE_AUTH, INFORMATIONAL     not loaded
    registrations  IKE_SA_INIT, IKE_AUTH, GSA_REGISTRATION  yes
    gsa_auth       IKE_SA_INIT, GSA_AUTH                    yes

A number of members are under way at any time, and their work is on the same CPUs. Every
registration is in the store, synced, before its answer leaves.

`ratio` is registrations a second against plain IKE_AUTHs a second. `cpu_ratio` is the same by the CPU
time of the key server's daemons, which other work on this machine disturbs less. Of both: the median
of the rounds, each against plain of the same round, the lowest and the highest, and whether that is
too wide to mean something. probe is what one more exchange alone does to charon. A pre-shared key is
the cheapest for charon, so there the ratio is the least favourable.

Prints a JSON object a run, and one a credential.
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

CREDENTIALS = ("psk", "certificate")
RUNS = ("plain", "probe", "registrations", "gsa_auth")
WITH_PLUGIN = ("registrations", "gsa_auth")
SPREAD_MAX = 0.15  # of the median


def measure(options, credential, run):
    certified = credential == "certificate"
    with tempfile.TemporaryDirectory(prefix="bench-registrations.", dir=options.folder) as folder, \
            KeyServer(programs(), folder, certificates=certified) as server:
        if run in WITH_PLUGIN:
            server.start()
        else:
            server.start_charon(with_plugin=False)
        before = [daemon.cpu_seconds() for daemon in server.daemons()]
        with Load(options.members, group="load" if run in WITH_PLUGIN else None,
                  gsa_auth=run == "gsa_auth", probe=run == "probe",
                  in_flight=options.in_flight, pki=folder if certified else None) as load:
            report = load.report()
        cpu = [daemon.cpu_seconds() - start
               for daemon, start in zip(server.daemons(), before)]
        if report["members"] != options.members:
            raise LabError(f"{run}: only {report['members']} of {options.members} members came "
                           f"in: {report}\n{server.charon.tail()}")
        if run in WITH_PLUGIN:
            entries = len(server.show("registrations").get("registration", []))
            if entries != options.members:
                raise LabError(f"gcksd knows {entries} of {options.members} registrations")
        return {"seconds": report["seconds"],
                "per_second": round(options.members / report["seconds"], 1),
                "charon_cpu_seconds": round(cpu[0], 2),
                "gcksd_cpu_seconds": round(sum(cpu[1:]), 2),
                "retransmitted": report["retransmitted"]}


def cpu_seconds(result):
    return result["charon_cpu_seconds"] + result["gcksd_cpu_seconds"]


def spread(name, values):
    middle = statistics.median(values)
    return {name: round(middle, 3), f"{name}_lowest": round(min(values), 3),
            f"{name}_highest": round(max(values), 3),
            f"{name}_too_wide": max(values) - min(values) > SPREAD_MAX * middle}


def summary(found):
    """Of the runs of a credential: {run: [result of each round]}."""
    said = {f"{run}_per_second": statistics.median(result["per_second"] for result in results)
            for run, results in found.items()}
    for run in RUNS[1:]:
        pairs = list(zip(found["plain"], found[run]))
        said |= spread(f"{run}_ratio", [result["per_second"] / plain["per_second"]
                                        for plain, result in pairs])
        said |= spread(f"{run}_cpu_ratio", [cpu_seconds(plain) / cpu_seconds(result)
                                            for plain, result in pairs])
    return said


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, default=3000)
    parser.add_argument("--in-flight", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--credential", choices=CREDENTIALS, help="one only")
    parser.add_argument("--folder", default="/var/tmp", help="where the store's disk is")
    options = parser.parse_args()
    own_namespaces()
    credentials = [options.credential] if options.credential else CREDENTIALS
    results = {credential: {run: [] for run in RUNS} for credential in credentials}
    common = {"bench": "registrations"}
    try:
        for number in range(options.rounds):
            for credential in credentials:
                for run, found in results[credential].items():
                    found.append(measure(options, credential, run))
                    print(json.dumps({**common, "credential": credential, "run": run,
                                      "round": number + 1, **found[-1]}), flush=True)
    except (OSError, LabError) as error:
        sys.exit(f"bench registrations: {error}")
    for credential, found in results.items():
        said = summary(found)
        print(json.dumps({**common, "credential": credential, "members": options.members,
                          "rounds": options.rounds, "in_flight": options.in_flight, **said}),
              flush=True)
        if any(value is True for name, value in said.items() if name.endswith("_too_wide")):
            print(f"bench registrations: {credential}: rounds differ too much (see *_too_wide): the "
                  "machine does something else", file=sys.stderr)


if __name__ == "__main__":
    main()
