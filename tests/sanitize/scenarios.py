#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Daemon scenarios with ASan and UBSan, on the host in namespaces of their own, without ESP.

    members (tests/ike) ── loopback, UDP 500 ── charon + plugin* ── gcksd*       * sanitised

Prints `ok - ...` or `not ok - ...` for each case; the last one is that the daemons end by
themselves and the sanitizers have nothing to say, leaks included.
"""

import argparse
import collections
import contextlib
import glob
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
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../ike"))

import random_message                                                       # noqa: E402
from key_server import (ADDRESS, GROUP, IDENTITY, SECRET, KeyServer, Load,  # noqa: E402
                        own_namespaces, programs, wait_until)
from topology.errors import LabError                                        # noqa: E402

TREE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../..")
SOCKET = "/run/frr/gcksd.sock"
ROLE_CHARON, ROLE_BGPD, ROLE_GCKSD = 1, 2, 3
MAXIMUM = 65536
SETTLE_S = 60
REFUSED_S = 60  # GSA_REFUSED_INTERVAL_S
# Of one IKE_SA that is gone nothing may stay: memory after more messages, in parts of before.
GROWTH = 1.25
GROWTH_KIB = 4096


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
    return ":".join(found)


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


class Scenarios:
    def __init__(self, options, folder):
        self.options, self.folder, self.failures = options, folder, 0
        self.numbers = random.Random(options.seed)
        self.protocol = random_message.Protocol(os.path.join(TREE, "proto/gsa.proto"))
        self.version = protocol_version()
        environment = {
            "ASAN_OPTIONS": "detect_leaks=1:exitcode=99:abort_on_error=0:"
                            # else what is freed counts as memory in use
                            "quarantine_size_mb=4:thread_local_quarantine_size_kb=64:"
                            # nor does the memory of where it came from, frame by frame
                            "malloc_context_size=1",
            "UBSAN_OPTIONS": "print_stacktrace=1",
            "LSAN_OPTIONS": "suppressions=" + os.path.join(
                os.path.dirname(os.path.realpath(__file__)), "leaks.supp")}
        self.server = KeyServer(
            {**programs(), "gcksd": os.path.join(options.build, "tests/sanitize/gcksd")}, folder,
            options=("sharing pairwise", "rekey on-join", "rekey on-leave", "activation-delay 0",
                     "deactivation-delay 0"),
            environment=environment, preload={"charon": libraries()},
            # the leak checker looks into the process
            gcksd_options=["--core-dumps"])
        # of initiators that went away without a word
        self.server.dpd_delay_s = 3

    def run(self, text, function):
        try:
            function()
            for daemon in self.server.daemons():
                if not daemon.stopped:
                    daemon.check()
        except Exception as error:  # pylint: disable=broad-except
            self.failures += 1
            print(f"not ok - {text}", flush=True)
            found = str(error) if isinstance(error, LabError) else traceback.format_exc()
            for line in found.splitlines():
                print(f"#   {line}", flush=True)
        else:
            print(f"ok - {text}", flush=True)

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
            [os.path.join(self.options.build, "tests/ike/ike_mutate"), "--server", ADDRESS,
             "--member", "m%u.load.example", "--stranger", "m%u.other.example",
             "--server-identity", IDENTITY, "--secret", SECRET, "--group", GROUP,
             "--cases", str(cases), "--seed", str(seed)], capture_output=True, text=True,
            check=False)
        for daemon in self.server.daemons():
            daemon.check()
        check(done.returncode == 0, f"ike_mutate: status {done.returncode}: {done.stdout}"
                                    f"{done.stderr}")
        return json.loads(done.stdout)

    def settled(self):
        """No IKE_SA is left, so nothing of one should be."""
        wait_until(lambda: "IKE_SAs: 0 total" in self.server.swanctl("--stats"), SETTLE_S,
                   "all IKE_SAs of the initiators are gone",
                   diagnose=lambda: self.server.swanctl("--stats"))
        return [daemon.memory_kib() for daemon in self.server.daemons()]

    def mutated(self):
        """The first part fills what is filled once (caches, pools), the rest may add nothing."""
        cases = self.options.cases
        reports = [self.mutate(max(cases // 5, 1), self.options.seed)]
        before = self.settled()
        reports.append(self.mutate(cases, self.options.seed + 1))
        after = self.settled()
        served = sum(report["members_served"] for report in reports)
        print("# " + json.dumps({"mutated": reports, "memory_before_kib": before,
                                 "memory_after_kib": after}), flush=True)
        check(served, "no member was ever served")
        self.refusals_are_limited(sum(report["seconds"] for report in reports))
        for daemon, start, end in zip(self.server.daemons(), before, after):
            check(end < start * GROWTH + GROWTH_KIB,
                  f"{daemon.name}: {end} KiB after {cases} messages, {start} KiB before")

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
    parser.add_argument("--build", required=True, help="build with --enable-sanitize")
    parser.add_argument("--members", type=int, default=200)
    parser.add_argument("--cases", type=int, default=3000, help="mutated messages")
    parser.add_argument("--messages", type=int, default=1500,
                        help="of the local protocol, for each daemon and role")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="folder for the daemons' logs")
    options = parser.parse_args()
    own_namespaces()
    os.environ["LAB_BUILD"] = options.build
    plugin = glob.glob(f"{options.build}/tests/sanitize/.libs/libstrongswan-gsa.so")
    if not plugin:
        sys.exit(f"scenarios: {options.build} has no sanitised plugin")
    subprocess.run(["mount", "--bind", plugin[0],
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
            scenarios.run("gcksd takes any messages of charon and bgpd", scenarios.clients)
            scenarios.run("charon takes any messages of gcksd", scenarios.key_server_is_strange)
            scenarios.run("the daemons end, and nothing leaked", scenarios.ends)
        sys.exit(1 if scenarios.failures else 0)


if __name__ == "__main__":
    main()
