#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Daemon scenarios on the host in namespaces of their own, without ESP; if the build has them with
ASan and UBSan.

    members (tests/ike) ── loopback, UDP 500 ── charon + plugin* ── gcksd*       * sanitised

Prints `ok - ...` or `not ok - ...` for each case; the last one is that the daemons end by
themselves and the sanitizers have nothing to say, leaks included.

Malformed messages come in parts. After each, when all IKE_SAs and registrations are gone, it says
how many octets each daemon has allocated (heap) and how much memory it occupies (RSS). The rest of
RSS is what the allocator keeps: glibc in caches of each of charon's threads and in arenas (without
them, by GLIBC_TUNABLES, charon's RSS grew by 0.3 MB where it otherwise grew by 2.3), ASan in caches
and its quarantine. After the first third of the messages they may grow by so much:

    heap   HEAP_GROWTH above its least: what is known to fill up is less (OpenSSL's error queues:
           16 entries of two strings for each of 32 threads; Sender-IDs of 32 members that left)
    RSS    a quarter, and 4 MiB
"""

import argparse
import collections
import contextlib
import json
import os
import random
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../ike"))

import random_message                                                       # noqa: E402
from key_server import (ADDRESS, GROUP, IDENTITY, SECRET, KeyServer, Load,  # noqa: E402
                        own_namespaces, programs, wait_until)
from topology.errors import LabError                                        # noqa: E402

TREE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../..")
SOCKET = "/run/frr/gcksd.sock"
KEY_SERVER = ("--server", ADDRESS, "--server-identity", IDENTITY, "--secret", SECRET, "--group", GROUP)
ROLE_CHARON, ROLE_BGPD, ROLE_GCKSD = 1, 2, 3
MAXIMUM = 65536
SETTLE_S = 60
HOLD_S = 10
REFUSED_S = 60  # GSA_REFUSED_INTERVAL_S
HEAP_GROWTH = 64 << 10
RSS_GROWTH = 1.25
RSS_GROWTH_KIB = 4096


def check(condition, found):
    if not condition:
        raise LabError(found)


def libraries():
    """The sanitizers' libraries, which a charon that is not sanitised has to begin with."""
    found = []
    for name in ("libasan.so", "libubsan.so"):
        path = subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True,
                              check=True).stdout.strip()
        found.append(os.path.realpath(path))
    return found


def unix_socket():
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.settimeout(SETTLE_S)
    return client


def accepted(client):
    """False: the queue is full."""
    try:
        client.connect(SOCKET)
    except BlockingIOError:
        return False
    return True


def send(client, message):
    """None: the other side has closed."""
    try:
        return client.send(message)
    except (BrokenPipeError, ConnectionResetError):
        return None


def drain(client):
    with contextlib.suppress(ConnectionResetError):
        while select.select([client], [], [], 0)[0] and client.recv(MAXIMUM):
            pass


def protocol_version():
    """GSA_PROTOCOL_VERSION, from the header that the daemons were built with."""
    with open(os.path.join(TREE, "libgsa/message.h"), encoding="utf-8") as header:
        return int(re.search(r"GSA_PROTOCOL_VERSION\s+(\d+)", header.read()).group(1))


def least_heap(daemon):
    """Of several looks: what it was asked for last, as a terminal is, may not be gone yet."""
    looks = []
    while len(looks) < 20:
        looks.append(daemon.heap())
        time.sleep(0.05)
    return min(looks)


class Scenarios:
    def __init__(self, options, folder):
        self.options, self.folder, self.failures = options, folder, 0
        self.numbers = random.Random(options.seed)
        self.protocol = random_message.Protocol(os.path.join(TREE, "proto/gsa.proto"))
        self.version = protocol_version()
        sanitized = {}
        if options.sanitized:
            sanitized = {
                "environment": {
                    "ASAN_OPTIONS": "detect_leaks=1:exitcode=99:abort_on_error=0:"
                                    # else what is freed counts as memory in use
                                    "quarantine_size_mb=4:thread_local_quarantine_size_kb=64:"
                                    # nor does the memory of where it came from, frame by frame
                                    "malloc_context_size=1",
                    "UBSAN_OPTIONS": "print_stacktrace=1",
                    "LSAN_OPTIONS": "suppressions=" + os.path.join(
                        os.path.dirname(os.path.realpath(__file__)), "leaks.supp")},
                "preload": {name: libraries() for name in ("charon", "gcksd")},
                # the leak checker looks into the process
                "gcksd_options": ["--core-dumps"]}
        self.server = KeyServer(
            {**programs(), **({"gcksd": options.sanitized} if sanitized else {})}, folder,
            options=("sharing pairwise", "rekey on-join", "rekey on-leave", "activation-delay 0",
                     "deactivation-delay 0", f"registration-hold-time {HOLD_S}"),
            count_heap=True, **sanitized)
        # of initiators that went away without a word
        self.server.dpd_delay_s = 3

    def say(self, line):
        print(line, flush=True, file=sys.stderr if self.options.json else sys.stdout)

    def run(self, text, function):
        try:
            function()
            for daemon in self.server.daemons():
                if not daemon.stopped:
                    daemon.check()
        except Exception as error:  # pylint: disable=broad-except
            self.failures += 1
            self.say(f"not ok - {text}")
            found = str(error) if isinstance(error, LabError) else traceback.format_exc()
            for line in found.splitlines():
                self.say(f"#   {line}")
        else:
            self.say(f"ok - {text}")

    # cases

    def registrations(self):
        count = self.options.members
        with Load(count, in_flight=32) as load:
            report = load.report()
        check(report["members"] == count, f"{report}")
        entries = self.server.show("registrations").get("registration", [])
        check(len(entries) == count, f"gcksd knows {len(entries)} of {count} registrations")

    def openings(self):
        with Load(50, in_flight=16, first=100000, gsa_auth=True) as load:
            report = load.report()
        check(report["members"] == 50, f"{report}")

    def rekeys(self):
        """Everybody is told of each new SA and answers, while others come and go."""
        count, rounds = 60, 5
        with Load(count, in_flight=16, first=200000, sender=True, stay=True) as load:
            check(load.report()["members"] == count, "not everybody came in")
            for number in range(rounds):
                self.server.command(f"gsa rekey group {GROUP}")
                with Load(10, in_flight=10, first=300000 + 10 * number) as others:
                    others.report()
                told = 0
                def all_told():
                    nonlocal told
                    told += load.ask()["rekeyed"]
                    return told >= count
                wait_until(all_told, SETTLE_S, f"{count} members are told",
                           diagnose=lambda: f"only {told} were")

    def refusals(self):
        """Members of another domain authenticate, and are refused."""
        with Load(50, in_flight=16, domain="other.example") as load:
            report = load.report()
        check(report["refused"] == 50, f"{report}")

    def hello(self, role):
        return random_message.delimited(1, b"\x08" + bytes([self.version]) + b"\x10" + bytes([role])
                                        + random_message.delimited(3, b"test"))

    def garbage(self):
        """Clients of gcksd that are none."""
        for _ in range(300):
            with contextlib.closing(unix_socket()) as client:
                wait_until(lambda: accepted(client), SETTLE_S, "gcksd takes a connection")
                with contextlib.suppress(BrokenPipeError):
                    if self.numbers.randrange(2):
                        client.send(self.hello(ROLE_BGPD))
                    for _ in range(self.numbers.randrange(1, 6)):
                        client.send(self.numbers.randbytes(self.numbers.randrange(1, 400)))
        wait_until(self.server.connected, SETTLE_S, "charon is connected")

    def clients(self):
        """charon and bgpd, as it were, say what the protocol allows, and mean nothing by it."""
        for role in (ROLE_BGPD, ROLE_CHARON):
            client = unix_socket()
            wait_until(lambda: accepted(client), SETTLE_S, "gcksd takes a connection")
            client.send(self.hello(role))
            wait_until(lambda: client.recv(MAXIMUM), SETTLE_S, "gcksd says Hello")
            for _ in range(self.options.messages):
                self.server.gcksd.check()
                name = self.numbers.choice(list(self.protocol.bodies))
                # a second Hello or SyncDone ends nothing, but much else is dropped after it
                if send(client, self.protocol.message(self.numbers, name)) is None:
                    break
                drain(client)
            client.close()
        lines = [entry["identity"] for entry in
                 self.server.show("registrations").get("registration", [])]
        check(len(lines) <= self.options.messages + self.options.members, f"{len(lines)} members")

    def key_server_is_strange(self):
        """The same to charon: somebody else is gcksd."""
        self.server.gcksd.stop()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(SOCKET)
        listener = unix_socket()
        listener.bind(SOCKET)
        listener.listen(1)
        charon = listener.accept()[0]
        charon.settimeout(SETTLE_S)
        charon.recv(MAXIMUM)
        charon.send(self.hello(ROLE_GCKSD))
        for _ in range(self.options.messages):
            self.server.charon.check()
            # anything but Refused, which ends the connection
            name = self.numbers.choice([name for name in self.protocol.bodies
                                        if name != "Refused"])
            if send(charon, self.protocol.message(self.numbers, name)) is None:
                break
            drain(charon)
        charon.close()
        listener.close()
        self.server.swanctl("--stats")

    def mutate(self, cases, seed):
        done = subprocess.run(
            [os.path.join(self.options.build, "tests/ike/ike_mutate"), *KEY_SERVER,
             "--member", "m%u.load.example", "--stranger", "m%u.other.example", "--cases", str(cases), "--seed", str(seed)], capture_output=True, text=True,
            check=False)
        for daemon in self.server.daemons():
            daemon.check()
        check(done.returncode == 0, f"ike_mutate: status {done.returncode}: {done.stdout}"
                                    f"{done.stderr}")
        return json.loads(done.stdout)

    def settled(self):
        """No IKE_SA and no registration is left, so nothing of one should be."""
        wait_until(lambda: "IKE_SAs: 0 total" in self.server.swanctl("--stats"), SETTLE_S,
                   "all IKE_SAs of the initiators are gone",
                   diagnose=lambda: self.server.swanctl("--stats"))
        wait_until(lambda: not self.server.show("registrations").get("registration"), SETTLE_S,
                   "all registrations are gone")
        found = {"store_kib": os.path.getsize(self.server.path("gcksd.db")) >> 10}
        for daemon in self.server.daemons():
            octets, blocks = least_heap(daemon)
            found[daemon.name] = {"heap": octets, "blocks": blocks, "rss_kib": daemon.memory_kib()}
        return found

    def mutated(self):
        parts, samples, seconds, served, done = self.options.parts, [], 0, 0, 0
        for number in range(parts):
            report = self.mutate(self.options.cases // parts, self.options.seed + number)
            samples.append(self.settled())
            seconds, served = seconds + report["seconds"], served + report["members_served"]
            done += report["cases"]
            self.result({"run": "part", "cases_so_far": done, **samples[-1], **report})
        check(served, "no member was ever served")
        self.refusals_are_limited(seconds)
        first, last = samples[parts // 3 - 1], samples[-1]
        # what earlier cases left may go meanwhile, and must not hide what comes
        growth = {daemon.name: last[daemon.name]["heap"]
                  - min(sample[daemon.name]["heap"] for sample in samples[parts // 3 - 1:])
                  for daemon in self.server.daemons()}
        self.result({"run": "all", "cases": done, "members_served": served,
                     "heap_growth": growth, "heap_growth_bound": HEAP_GROWTH, "first_third": first,
                     "last_third": last})
        for name, octets in growth.items():
            check(octets <= HEAP_GROWTH, f"{name} has {octets} octets more on its heap after "
                                         f"{done} messages than after a third of them")
            start, end = (sample[name]["rss_kib"] for sample in (first, last))
            check(end < start * RSS_GROWTH + RSS_GROWTH_KIB,
                  f"{name}: {end} KiB after {done} messages, {start} KiB after a third of them")

    def held(self):
        """What is held for one IKE_SA does not grow with what comes over it."""
        for kind in ("registrations", "refused", "fragments", "half-open"):
            with subprocess.Popen(
                    [os.path.join(self.options.build, "tests/ike/ike_hold"), *KEY_SERVER,
                     "--identity", "m400000.load.example", "--kind", kind, "--rounds", "300"],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
                samples = []
                for _ in range(3):
                    process.stdin.write("on\n")
                    process.stdin.flush()
                    check(process.stdout.readline(), f"ike_hold {kind} has ended")
                    samples.append([least_heap(daemon)[0] for daemon in self.server.daemons()])
                process.stdin.close()
                check(process.wait() == 0, f"ike_hold {kind}: the IKE_SA has ended")
            growth = dict(zip((daemon.name for daemon in self.server.daemons()),
                              (end - start for start, end in zip(samples[0], samples[-1]))))
            self.result({"run": "held", "kind": kind, "heap_growth": growth})
            check(max(growth.values()) <= HEAP_GROWTH, f"{kind}: 600 of them add {growth} octets")
        self.settled()

    def result(self, found):
        """JSON for a bench; a comment in a test."""
        line = json.dumps({"bench": "mutate", "sanitized": bool(self.options.sanitized), **found})
        print(line if self.options.json else f"# {line}", flush=True)

    def refusals_are_limited(self, seconds):
        """Each different refusal once in a minute, in both logs."""
        for log, pattern in (("gcksd.log", r"GSA: (refused .*)"),
                             ("charon.log", r"gsa: (.* refused for group .*)")):
            with open(self.server.path(log), encoding="utf-8", errors="replace") as file:
                found = collections.Counter(
                    re.sub(r"; \d+ more times since the last such line$", "", line)
                    for line in re.findall(pattern, file.read()))
            check(found, f"{log} has no refusal")
            line, count = found.most_common(1)[0]
            check(count <= 2 + (seconds + 2 * SETTLE_S) / REFUSED_S,
                  f"{log} has the same refusal {count} times: {line}")

    def ends(self):
        for daemon in self.server.daemons():
            status = daemon.stop()
            check(status == 0, f"{daemon.name} ended with status {status}:\n{daemon.tail(60)}")
            with open(daemon.output, encoding="utf-8", errors="replace") as file:
                text = file.read()
            for sign in ("ERROR: ", "runtime error:", "showing active allocations"):
                check(sign not in text, f"{daemon.name}:\n{daemon.tail(60)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--members", type=int, default=200)
    parser.add_argument("--cases", type=int, default=3000, help="mutated messages")
    parser.add_argument("--parts", type=int, default=3, help="in which they come, at least 3")
    parser.add_argument("--messages", type=int, default=1500,
                        help="of the local protocol, for each daemon and role")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="folder for the daemons' logs")
    parser.add_argument("--json", action="store_true",
                        help="results alone on standard output, the rest on standard error")
    options = parser.parse_args()
    if options.parts < 3:
        parser.error("--parts: at least 3")
    own_namespaces()
    os.environ["LAB_BUILD"] = options.build
    gcksd = f"{options.build}/tests/sanitize/gcksd"
    options.sanitized = gcksd if os.path.exists(gcksd) else None
    if options.sanitized:
        subprocess.run(["mount", "--bind",
                        f"{options.build}/tests/sanitize/.libs/libstrongswan-gsa.so",
                        f"{os.environ['LAB_STRONGSWAN_PREFIX']}/lib/ipsec/plugins/"
                        "libstrongswan-gsa.so"], check=True)
    with contextlib.ExitStack() as stack:
        folder = options.keep or stack.enter_context(
            tempfile.TemporaryDirectory(prefix="sanitize.", dir="/var/tmp"))
        if options.keep:
            # logs of an earlier run would be taken for this one's
            shutil.rmtree(folder, ignore_errors=True)
            os.makedirs(folder)
        scenarios = Scenarios(options, folder)
        with scenarios.server as server:
            scenarios.run("gcksd and charon start and connect", server.start)
            scenarios.run(f"{options.members} members register", scenarios.registrations)
            scenarios.run("members open with GSA_AUTH", scenarios.openings)
            scenarios.run("those who may not join are refused", scenarios.refusals)
            scenarios.run("everybody is told of rekeys, and answers", scenarios.rekeys)
            scenarios.run("gcksd's socket takes what is no message", scenarios.garbage)
            scenarios.run("malformed and untimely messages: no crash, no key for others, memory "
                          "stays", scenarios.mutated)
            scenarios.run("what is held for one IKE_SA does not grow", scenarios.held)
            scenarios.run("gcksd takes any messages of charon and bgpd", scenarios.clients)
            scenarios.run("charon takes any messages of gcksd", scenarios.key_server_is_strange)
            scenarios.run("the daemons end, and nothing leaked", scenarios.ends)
        sys.exit(1 if scenarios.failures else 0)


if __name__ == "__main__":
    main()
