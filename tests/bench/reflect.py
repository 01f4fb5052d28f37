#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""bench reflect: cost of per-group reflection in the S/R's bgpd.

    group 0: 1 injector + 9 receivers --+
                                        +-- bgpd (route reflector, no zebra)
    group 1: 1 injector + 9 receivers --+

The same routes (100,000 prefixes that carry the group attribute) through

    run      bgpd                  who gets them                    announcements
    stock    unpatched FRR         everybody, a plain reflector     2 x
    groups   patched, with module  each group only to its members   1 x
    shared   patched, with module  every peer is in every group     2 x
    views    unpatched FRR         two plain reflectors (views)     1 x

in turn, several rounds, in one network namespace on loopback addresses. `groups` against `stock`
is what an operator's change costs; it delivers less, so there are two ratios of equal work too:
`shared` against `stock` and `groups` against `views`. Time is wall clock; `cpu_seconds` is bgpd's
alone, whatever else the machine does. Memory is anonymous (RssAnon): file pages come and go.

Prints a JSON object a run and one with the ratios of the medians.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

AS = 65000
SERVER = "10.66.255.1"
FIRST_GROUP = 100


@dataclass(frozen=True)
class Run:
    module: bool      # patched bgpd with the module, else unpatched
    separate: bool    # a receiver gets its group's prefixes only


RUNS = {"stock": Run(False, False), "groups": Run(True, True),
        "shared": Run(True, False), "views": Run(False, True)}


def peers(options):
    for group in range(options.groups):
        for number in range(1, options.peers + 1):
            yield group, f"10.66.{group}.{number}"


def configuration(options, run):
    everyone = list(peers(options))
    if run.module or not run.separate:
        return reflector(run, f"router bgp {AS}", options, everyone)
    return "".join(reflector(run, f"router bgp {AS} view group{group}", options,
                             [peer for peer in everyone if peer[0] == group])
                   for group in range(options.groups))


def reflector(run, head, options, clients):
    lines = [head, f" bgp router-id {SERVER}", " no bgp default ipv4-unicast"]
    lines += [" gsa"] if run.module else []
    for group, address in clients:
        lines += [f" neighbor {address} remote-as {AS}", f" neighbor {address} passive"]
        if run.module:
            joined = [group] if run.separate else range(options.groups)
            lines += [f" neighbor {address} gsa group {FIRST_GROUP + each}" for each in joined]
    lines += [" address-family ipv4 unicast"]
    for _, address in clients:
        lines += [f"  neighbor {address} activate", f"  neighbor {address} route-reflector-client"]
    return "\n".join(lines + [" exit-address-family", "exit", ""])


class Server:
    """One bgpd with a private folder for its sockets and configuration."""

    def __init__(self, options, run, folder):
        with open(f"{folder}/bgpd.conf", "w", encoding="ascii") as file:
            file.write(configuration(options, run))
        command = [options.bgpd if run.module else options.stock_bgpd,
                   "-Z", "-S", "-u", "root", "-g", "root", "-p", "179", "-l", SERVER,
                   "-P", "0", "--vty_socket", folder, "-i", f"{folder}/bgpd.pid",
                   "-f", f"{folder}/bgpd.conf", "--log", f"file:{folder}/bgpd.log",
                   # without zebra every prefix would log that nexthops cannot be asked about
                   "--log-level", "emergencies"]
        if run.module:
            command += ["--moduledir", options.module_folder, "-M", "gsa"]
        with open(f"{folder}/bgpd.out", "w", encoding="ascii") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        deadline = time.monotonic() + 30
        while not self.listening():
            if self.process.poll() is not None or time.monotonic() > deadline:
                with open(f"{folder}/bgpd.out", encoding="utf-8", errors="replace") as out:
                    sys.exit(f"bench reflect: bgpd did not start: {out.read().strip()}")
            time.sleep(0.05)

    @staticmethod
    def listening():
        with open("/proc/net/tcp", encoding="ascii") as sockets:
            return any(line.split()[1].endswith(":00B3") and line.split()[3] == "0A"
                       for line in sockets.readlines()[1:])

    def memory_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:"))

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            user, system = stat.read().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def measure(options, run):
    with tempfile.TemporaryDirectory(prefix="bench-reflect.") as folder:
        server = Server(options, run, folder)
        try:
            command = [options.peers_program, "--server", SERVER, "--as", str(AS),
                       "--groups", str(options.groups), "--peers", str(options.peers),
                       "--prefixes", str(options.prefixes)]
            with subprocess.Popen(command + ([] if run.separate else ["--all-to-all"]),
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:
                before = server.memory_kib(), server.cpu_seconds()
                line = peer.stdout.readline()
                if not line:
                    sys.exit("bench reflect: the run failed (see the message above)")
                seconds, announcements = line.split()
                memory, cpu = server.memory_kib(), server.cpu_seconds()
                peer.stdin.close()
                if peer.wait() != 0:
                    sys.exit(f"bench reflect: {options.peers_program} ended with {peer.returncode}")
        finally:
            server.stop()
    return {"seconds": float(seconds), "cpu_seconds": round(cpu - before[1], 2),
            "memory_kib": memory, "memory_before_kib": before[0],
            "announcements": int(announcements)}


def own_network(options):
    """A network namespace of our own; nothing of it outlives this process."""
    if "BENCH_REFLECT_INSIDE" not in os.environ:
        os.environ["BENCH_REFLECT_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])
    batch = "link set lo up\n" + f"addr add {SERVER}/32 dev lo\n"
    batch += "".join(f"addr add {address}/32 dev lo\n" for _, address in peers(options))
    subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bgpd", required=True, help="patched bgpd")
    parser.add_argument("--module-folder", required=True, help="folder of bgpd_gsa.so")
    parser.add_argument("--stock-bgpd", required=True, help="unpatched bgpd of the same version")
    parser.add_argument("--peers-program", required=True, help="bgp_peers")
    parser.add_argument("--groups", type=int, default=2)
    parser.add_argument("--peers", type=int, default=10, help="per group")
    parser.add_argument("--prefixes", type=int, default=100000, help="of all groups together")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--runs", default=",".join(RUNS), type=lambda text: text.split(","),
                        help="which of %(default)s")
    options = parser.parse_args()
    unknown = set(options.runs) - set(RUNS)
    if unknown:
        parser.error(f"--runs: there is no run '{min(unknown)}'")
    return options


def main():
    options = parse_options()
    own_network(options)
    results = {name: [] for name in options.runs}
    for number in range(options.rounds):
        for name, found in results.items():
            found.append(measure(options, RUNS[name]))
            print(json.dumps({"bench": "reflect", "run": name, "round": number + 1, **found[-1]}),
                  flush=True)

    medians = {name: {key: statistics.median(result[key] for result in found)
                      for key in ("seconds", "cpu_seconds", "memory_kib")}
               for name, found in results.items()}
    summary = {"bench": "reflect", "groups": options.groups, "peers_per_group": options.peers,
               "prefixes": options.prefixes, "rounds": options.rounds}
    for name, values in medians.items():
        summary |= {f"{name}_{key}": value for key, value in values.items()}
    for suffix, ours, stock in (("", "groups", "stock"), ("_same_announcements", "groups", "views"),
                                ("_everything_to_everybody", "shared", "stock")):
        if ours in medians and stock in medians:
            summary |= {f"{ratio}{suffix}": round(medians[ours][key] / medians[stock][key], 3)
                        for ratio, key in (("time_ratio", "seconds"), ("cpu_ratio", "cpu_seconds"),
                                           ("memory_ratio", "memory_kib"))}
    print(json.dumps(summary), flush=True)


if __name__ == "__main__":
    main()
