#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""bench tables: memory of gcksd's tables, and time for a decision, at 10 to 100,000 members.

    again            a member that is registered registers again
    new              one that is not, would
    leave_and_join   one is found by name and by IKE_SA, leaves, and registers again
    rekey            of all, for each member: told, and its answer

CPU time of the pure tables, without store and messages (bench registrations has those). The
octets of ten members are mostly those of their group and its SA. Prints a JSON object for each size
(the median of several runs) and one with how the times of the largest and of 1,000 members compare.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

SIZES = (10, 1000, 100000)


def measure(options, members):
    program = os.path.join(os.environ["LAB_BUILD"], "tests/bench/tables")
    runs = []
    for _ in range(options.rounds):
        done = subprocess.run([program, str(members), str(options.decisions)],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"bench tables: {done.stderr.strip()}")
        runs.append(json.loads(done.stdout))
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--decisions", type=int, default=20000)
    options = parser.parse_args()
    found = {}
    for members in SIZES:
        found[members] = measure(options, members)
        print(json.dumps({"bench": "tables", **found[members]}), flush=True)
    middle, large = found[SIZES[1]], found[SIZES[-1]]
    print(json.dumps({"bench": "tables", "rounds": options.rounds,
                      **{f"{key[:-3] if key.endswith('_ns') else key}_ratio":
                         round(large[key] / middle[key], 2)
                         for key in large if "_ns" in key}}), flush=True)


if __name__ == "__main__":
    main()
