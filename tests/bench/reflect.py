#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""bench reflect: cost of per-group reflection in the S/R's bgpd.

    group 0: 1 injector + 9 receivers --+
                                        +-- bgpd (route reflector, no zebra)
    group 1: 1 injector + 9 receivers --+

The same routes (100,000 prefixes that carry the group attribute) through
  stock   unpatched FRR 10.3, plain reflector: everything to everybody
  groups  patched FRR 10.3 with the module: each group only to its members
in turn, several rounds, in one network namespace on loopback addresses. Prints a JSON
object per run and one with the ratios of the medians (groups / stock).
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

AS = 65000
SERVER = "10.66.255.1"
FIRST_GROUP = 100


def peers(options):
    for group in range(options.groups):
        for number in range(1, options.peers + 1):
            yield group, f"10.66.{group}.{number}"


def configuration(options, with_module):
    lines = [f"router bgp {AS}", f" bgp router-id {SERVER}", " no bgp default ipv4-unicast"]
    lines += [" gsa"] if with_module else []
    for group, address in peers(options):
        lines += [f" neighbor {address} remote-as {AS}", f" neighbor {address} passive"]
        if with_module:
            lines += [f" neighbor {address} gsa group {FIRST_GROUP + group}"]
    lines += [" address-family ipv4 unicast"]
    for _, address in peers(options):
        lines += [f"  neighbor {address} activate", f"  neighbor {address} route-reflector-client"]
    return "\n".join(lines + [" exit-address-family", "exit", ""])


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    raise RuntimeError(f"no VmRSS of process {pid}")


class Server:
    """One bgpd with a private folder for its sockets and configuration."""

    def __init__(self, program, folder, text, module_folder):
        self.log = f"{folder}/bgpd.log"
        with open(f"{folder}/bgpd.conf", "w", encoding="ascii") as file:
            file.write(text)
        command = [program, "-Z", "-S", "-u", "root", "-g", "root", "-p", "179", "-l", SERVER,
                   "-P", "0", "--vty_socket", folder, "-i", f"{folder}/bgpd.pid",
                   "-f", f"{folder}/bgpd.conf", "--log", f"file:{self.log}"]
        if module_folder:
            command += ["--moduledir", module_folder, "-M", "gsa"]
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

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def measure(options, with_module):
    program = options.bgpd if with_module else options.stock_bgpd
    with tempfile.TemporaryDirectory(prefix="bench-reflect.") as folder:
        server = Server(program, folder, configuration(options, with_module),
                        options.module_folder if with_module else None)
        try:
            base = resident_kib(server.process.pid)
            command = [options.peers_program, "--server", SERVER, "--as", str(AS),
                       "--groups", str(options.groups), "--peers", str(options.peers),
                       "--prefixes", str(options.prefixes)]
            with subprocess.Popen(command + ([] if with_module else ["--all-to-all"]),
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
                line = run.stdout.readline()
                memory = resident_kib(server.process.pid)
                run.stdin.close()
                if run.wait() != 0 or not line:
                    sys.exit("bench reflect: the run failed (see the message above)")
        finally:
            server.stop()
    return {"seconds": float(line), "memory_kib": memory, "memory_before_kib": base}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bgpd", required=True, help="patched bgpd")
    parser.add_argument("--module-folder", required=True, help="folder of bgpd_gsa.so")
    parser.add_argument("--stock-bgpd", required=True, help="unpatched bgpd of the same version")
    parser.add_argument("--peers-program", required=True, help="bgp_peers")
    parser.add_argument("--groups", type=int, default=2)
    parser.add_argument("--peers", type=int, default=10, help="per group")
    parser.add_argument("--prefixes", type=int, default=100000, help="of all groups together")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()

    # a network namespace of our own; nothing of it outlives this process
    if "BENCH_REFLECT_INSIDE" not in os.environ:
        os.environ["BENCH_REFLECT_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])
    batch = "link set lo up\n" + f"addr add {SERVER}/32 dev lo\n"
    batch += "".join(f"addr add {address}/32 dev lo\n" for _, address in peers(options))
    subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)

    results = {"stock": [], "groups": []}
    for number in range(options.rounds):
        for name in results:
            result = measure(options, name == "groups")
            results[name].append(result)
            print(json.dumps({"bench": "reflect", "run": name, "round": number + 1, **result}),
                  flush=True)

    def median(name, key):
        return statistics.median(result[key] for result in results[name])

    print(json.dumps({
        "bench": "reflect", "groups": options.groups, "peers_per_group": options.peers,
        "prefixes": options.prefixes, "rounds": options.rounds,
        "stock_seconds": median("stock", "seconds"), "group_seconds": median("groups", "seconds"),
        "time_ratio": round(median("groups", "seconds") / median("stock", "seconds"), 3),
        "stock_memory_kib": median("stock", "memory_kib"),
        "group_memory_kib": median("groups", "memory_kib"),
        "memory_ratio": round(median("groups", "memory_kib") / median("stock", "memory_kib"), 3),
    }), flush=True)


if __name__ == "__main__":
    main()
