#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""bench rekey: time and octets to rekey a group in band (GSA_INBAND_REKEY).

    ike_load (members) ── loopback, UDP 500 ── charon + plugin ── gcksd ── store, on a disk

All members register, then the operator asks for a rekey, several times. A round ends when the key
server says that everybody has acknowledged. `seconds` is from the command until then,
`last_member_seconds` until the last one has the new SA; octets are those of UDP payloads, of both
directions, for each member. Prints a JSON object a round and one with the medians.
"""

import argparse
import json
import os
import re
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../ike"))

from key_server import (GROUP, KeyServer, Load, own_namespaces, programs,  # noqa: E402
                        wait_until)
from topology.errors import LabError                                     # noqa: E402

ROUND_S = 120


def told(server):
    """How often the key server has said that it is through: [(acknowledged, not)]"""
    with open(server.path("gcksd.log"), encoding="utf-8", errors="replace") as log:
        return [(int(yes), int(no)) for yes, no in
                re.findall(r"(\d+) members have acknowledged, (\d+) have not, in", log.read())]


def measure(options, server, load):
    before = len(told(server))
    load.ask()
    cpu = [daemon.cpu_seconds() for daemon in server.daemons()]
    start = time.monotonic()
    server.command(f"gsa rekey group {GROUP}")
    wait_until(lambda: len(told(server)) > before, ROUND_S, "everybody was told",
               diagnose=lambda: str(load.ask()))
    seconds = time.monotonic() - start
    report = load.ask()
    if told(server)[-1] != (options.members, 0) or report["rekeyed"] != options.members:
        raise LabError(f"{told(server)[-1]} of {options.members} members have acknowledged and "
                       f"not: {report}")
    return {"seconds": round(seconds, 2), "last_member_seconds": report["last_rekey"],
            "per_second": round(options.members / report["last_rekey"], 1),
            "octets_per_member": round((report["octets_in"] + report["octets_out"])
                                       / options.members, 1),
            "asked_again": report["asked_again"],
            "charon_cpu_seconds": round(server.charon.cpu_seconds() - cpu[0], 2),
            "gcksd_cpu_seconds": round(server.gcksd.cpu_seconds() - cpu[1], 2)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, default=1000)
    parser.add_argument("--rekey-in-flight", type=int, default=64)
    parser.add_argument("--sharing", choices=("group", "pairwise"), default="pairwise")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", default="/var/tmp", help="where the store's disk is")
    options = parser.parse_args()
    own_namespaces()
    # without delays the old SAs go at once, and nothing but the rekey is measured
    policy = (f"sharing {options.sharing}", f"rekey in-flight {options.rekey_in_flight}",
              "activation-delay 0", "deactivation-delay 0")
    found = []
    try:
        with tempfile.TemporaryDirectory(prefix="bench-rekey.", dir=options.folder) as folder, \
                KeyServer(programs(), folder, options=policy) as server:
            server.start()
            with Load(options.members, in_flight=64, stay=True, sender=True) as load:
                report = load.report()
                if report["members"] != options.members:
                    raise LabError(f"only {report['members']} members came in: {report}")
                for number in range(options.rounds):
                    found.append(measure(options, server, load))
                    print(json.dumps({"bench": "rekey", "round": number + 1, **found[-1]}),
                          flush=True)
    except (OSError, LabError) as error:
        sys.exit(f"bench rekey: {error}")
    print(json.dumps({"bench": "rekey", "members": options.members, "sharing": options.sharing,
                      "rekey_in_flight": options.rekey_in_flight, "rounds": options.rounds,
                      **{key: statistics.median(result[key] for result in found)
                         for key in found[0]}}), flush=True)


if __name__ == "__main__":
    main()
