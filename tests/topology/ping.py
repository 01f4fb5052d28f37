# SPDX-License-Identifier: GPL-2.0-or-later
"""ICMP echo between many nodes from one process: a raw socket in each node's network.

Every probe carries MARKER, which a capture can look for: seen anywhere outside, it is clear
text.
"""

import os
import select
import socket
import struct
import threading
import time

from . import namespaces

MARKER = b"frr-gsa clear text"
ECHO_REPLY, ECHO_REQUEST = 0, 8
SOL_RAW, ICMP_FILTER = 255, 1


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def echo_request(identifier, sequence):
    body = struct.pack("!HH", identifier, sequence) + MARKER
    body += b"\0" * (len(body) % 2)
    return struct.pack("!BBH", ECHO_REQUEST, 0,
                       checksum(struct.pack("!BBH", ECHO_REQUEST, 0, 0) + body)) + body


class Flow:
    """Probes from one node to one address, numbered from 0."""

    def __init__(self, source, target, address, source_address=None):
        self.source, self.target = source, target
        self.address = str(address)
        self.source_address = str(source_address) if source_address else ""
        self.sent = []        # time of each probe
        self.answered = {}    # number of a probe -> time of its answer

    def __str__(self):
        return f"{self.source} to {self.target}"

    def answers_since(self, moment):
        """How many probes sent since then were answered."""
        return sum(1 for number in list(self.answered) if self.sent[number] >= moment)

    def lost_between(self, start, end):
        """(unanswered, all) of the probes sent in an interval."""
        numbers = [number for number, sent in enumerate(self.sent) if start <= sent < end]
        return sum(1 for number in numbers if number not in self.answered), len(numbers)


class Pinger:
    """Sends and receives for a set of flows; not thread-safe."""

    next_identifier = os.getpid() & 0xFFFF

    def __init__(self, flows):
        self.flows = {}
        self.sockets = {}
        for flow in flows:
            Pinger.next_identifier = (Pinger.next_identifier + 1) & 0xFFFF
            self.flows[Pinger.next_identifier] = flow
            key = (flow.source, flow.source_address)
            if key not in self.sockets:
                with namespaces.inside(flow.source):
                    self.sockets[key] = socket.socket(socket.AF_INET, socket.SOCK_RAW,
                                                      socket.IPPROTO_ICMP)
                # nothing else takes room from the answers that are counted
                self.sockets[key].setsockopt(SOL_RAW, ICMP_FILTER,
                                             struct.pack("=I", 0xFFFFFFFF ^ 1 << ECHO_REPLY))
                self.sockets[key].setblocking(False)
                if flow.source_address:
                    self.sockets[key].bind((flow.source_address, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in self.sockets.values():
            each.close()

    def send(self, wanted=lambda flow: True):
        for identifier, flow in self.flows.items():
            if not wanted(flow):
                continue
            request = echo_request(identifier, len(flow.sent) & 0xFFFF)
            flow.sent.append(time.monotonic())
            try:
                self.sockets[(flow.source, flow.source_address)].sendto(request, (flow.address, 0))
            except OSError:
                pass    # blocked by a policy, no route: an unanswered probe

    def receive(self, seconds):
        end = time.monotonic() + seconds
        while True:
            left = max(0.0, end - time.monotonic())
            for readable in select.select(list(self.sockets.values()), [], [], left)[0]:
                self.take(readable)
            if left == 0:
                return

    def take(self, readable):
        try:
            data, (sender, _) = readable.recvfrom(2048)
        except OSError:
            return      # an ICMP error
        header = (data[0] & 15) * 4
        if len(data) < header + 8 or data[header] != ECHO_REPLY:
            return
        identifier, sequence = struct.unpack_from("!HH", data, header + 4)
        flow = self.flows.get(identifier)
        if flow is None or sender != flow.address or MARKER not in data:
            return
        # every socket of a node sees the reply
        number = (len(flow.sent) - 1 & ~0xFFFF) + sequence
        if number < len(flow.sent):
            flow.answered.setdefault(number, time.monotonic())


def answering(flows, deadline_s, silent_probes=4, interval_s=0.15):
    """Flows that answer. Waits up to the deadline for every one; who never answers got at
    least `silent_probes` probes, the last of them a second before the end."""
    flows = list(flows)
    with Pinger(flows) as pinger:
        end = time.monotonic() + deadline_s
        rounds = 0
        while time.monotonic() < end or rounds < silent_probes:
            pinger.send(lambda flow: not flow.answered)
            pinger.receive(interval_s)
            rounds += 1
            if all(flow.answered for flow in flows):
                return flows
        pinger.receive(1.0)
    return [flow for flow in flows if flow.answered]


class Traffic:
    """Keeps flows busy in the background; use with `with`."""

    def __init__(self, flows, interval_s=0.05):
        self.flows = list(flows)
        self.interval_s = interval_s
        self.stopping = threading.Event()
        self.pinger = Pinger(self.flows)
        self.thread = threading.Thread(target=self.work, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def work(self):
        while not self.stopping.is_set():
            self.pinger.send()
            self.pinger.receive(self.interval_s)
        self.pinger.receive(1.0)    # answers under way

    def stop(self):
        if self.thread.is_alive():
            self.stopping.set()
            self.thread.join()
            self.pinger.__exit__()
