#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""bench tables: memory of gcksd's tables, and time for a decision, at 10 to 100,000 members.

    lookup           one is found by name
    again            a member that is registered registers again
    new              one that is not, would
    leave_and_join   one is found by name and by IKE_SA, leaves, and registers again
    rekey            of all, for each member: told, and its answer
    memory_read      one word, at random, of as much memory as the members take

CPU time of the pure tables, without store and messages (bench registrations has those). The
octets of ten members are mostly those of their group and its SA. Prints a JSON object for each size
(the median of several runs), and where valgrind is installed what a decision takes whatever else the
machine does: instructions, and misses of a simulated cache of 1 MiB, of which each waits for a
memory_read. The last object compares the largest size with 1,000 members: by time, by instructions,
and how much longer a decision takes for each miss more.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys

SIZES = (10, 1000, 100000)
KINDS = ("lookup", "again", "new", "leave_and_join")
CACHE = "1048576,16,64"   # octets, ways, octets of a line
COUNTED = (1000, 21000)   # decisions: the difference is without what is before and after them


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"bench tables: {done.stderr.strip()}")
    return done


def measure(options, program, members):
    runs = [json.loads(run(program, str(members), str(options.decisions)).stdout)
            for _ in range(options.rounds)]
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def count(program, members, kind):
    """Instructions and misses a decision."""
    totals = []
    for decisions in COUNTED:
        said = run("valgrind", "--tool=cachegrind", "--cache-sim=yes", f"--LL={CACHE}",
                   "--cachegrind-out-file=/dev/null", program, str(members), str(decisions),
                   kind).stderr.replace(",", "")
        totals.append([int(re.search(rf"{name}: *([0-9]+)", said)[1])
                       for name in (r"I +refs", r"LLd misses")])
    return [(more - less) / (COUNTED[1] - COUNTED[0])
            for less, more in zip(*totals)]


def counts(program, members):
    found = {}
    for kind in KINDS:
        instructions, misses = count(program, members, kind)
        found[f"{kind}_instructions"] = round(instructions)
        found[f"{kind}_misses"] = round(max(misses, 0), 1)
    return found


def compare(middle, large):
    found = {}
    for kind in (*KINDS, "rekey_per_member"):
        found[f"{kind}_ratio"] = round(large[f"{kind}_ns"] / middle[f"{kind}_ns"], 2)
    for kind in KINDS if "lookup_misses" in large else ():
        found[f"{kind}_instructions_ratio"] = round(
            large[f"{kind}_instructions"] / middle[f"{kind}_instructions"], 3)
        more = large[f"{kind}_misses"] - middle[f"{kind}_misses"]
        found[f"{kind}_ns_per_miss"] = round(
            (large[f"{kind}_ns"] - middle[f"{kind}_ns"]) / more) if more > 0 else None
    return found | {"memory_read_ns": large["memory_read_ns"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--decisions", type=int, default=20000)
    options = parser.parse_args()
    program = os.path.join(os.environ["LAB_BUILD"], "tests/bench/tables")
    found = {}
    for members in SIZES:
        found[members] = measure(options, program, members)
        if shutil.which("valgrind"):
            found[members] |= counts(program, members)
        print(json.dumps({"bench": "tables", **found[members]}), flush=True)
    print(json.dumps({"bench": "tables", "rounds": options.rounds,
                      **compare(found[SIZES[1]], found[SIZES[-1]])}), flush=True)


if __name__ == "__main__":
    main()
