# SPDX-License-Identifier: GPL-2.0-or-later
"""What crossed a node: tcpdump on all of its interfaces, its file read and named."""

import os
import signal
import struct
import subprocess
from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Address

from . import namespaces, ping
from .errors import LabError
from .wait import wait_until

ARP, IPV4 = 0x0806, 0x0800
ICMP, TCP, UDP, ESP = 1, 6, 17, 50
LINK_ETHERNET, LINK_SLL, LINK_SLL2 = 1, 113, 276


class CaptureError(LabError):
    pass


@dataclass(frozen=True)
class Packet:
    ethertype: int
    protocol: int = 0
    source: IPv4Address = None
    destination: IPv4Address = None
    ports: tuple = (0, 0)
    data: bytes = b""       # from the IP header on

    def __str__(self):
        if self.ethertype != IPV4:
            return f"ethertype {self.ethertype:#06x}"
        ports = f" ports {self.ports[0]}, {self.ports[1]}" if any(self.ports) else ""
        return f"{self.source} > {self.destination} protocol {self.protocol}{ports}"


def read_packets(path):
    """Packets of a pcap file in this machine's byte order."""
    with open(path, "rb") as file:
        data = file.read()
    if len(data) < 24 or struct.unpack_from("=I", data)[0] not in (0xA1B2C3D4, 0xA1B23C4D):
        raise CaptureError(f"{path} is no capture")
    link = struct.unpack_from("=I", data, 20)[0] & 0xFFFF
    offset = 24
    while offset + 16 <= len(data):
        size = struct.unpack_from("=I", data, offset + 8)[0]
        yield parse(link, data[offset + 16:offset + 16 + size])
        offset += 16 + size


def parse(link, frame):
    if link == LINK_ETHERNET:
        ethertype, frame = struct.unpack_from("!H", frame, 12)[0], frame[14:]
    elif link == LINK_SLL:
        ethertype, frame = struct.unpack_from("!H", frame, 14)[0], frame[16:]
    elif link == LINK_SLL2:
        ethertype, frame = struct.unpack_from("!H", frame)[0], frame[20:]
    else:
        raise CaptureError(f"link type {link} is not known")
    if ethertype != IPV4 or len(frame) < 20:
        return Packet(ethertype, data=frame)
    header = (frame[0] & 15) * 4
    protocol = frame[9]
    ports = (0, 0)
    fragment = struct.unpack_from("!H", frame, 6)[0] & 0x1FFF
    if protocol in (TCP, UDP) and not fragment and len(frame) >= header + 4:
        ports = struct.unpack_from("!HH", frame, header)
    return Packet(ethertype, protocol, IPv4Address(frame[12:16]), IPv4Address(frame[16:20]),
                  ports, frame)


class Capture:
    """`with Capture(lab, "provider") as capture: ...`, then `capture.packets`."""

    def __init__(self, lab, node, name="capture"):
        self.lab, self.node = lab, node
        self.stem = os.path.join(namespaces.folder(node), "log", name)
        self.packets = []

    def __enter__(self):
        with open(f"{self.stem}.out", "wb") as output:
            # a small snapshot length: the kernel's buffer has room for so many of that size
            self.process = namespaces.popen(
                self.node, ["tcpdump", "-i", "any", "-n", "-U", "-s", "256", "-B", "8192",
                            "--immediate-mode", "-Z", "root",
                            "-w", f"/var/log/{os.path.basename(self.stem)}.pcap"],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        wait_until(lambda: "listening on" in self.output(), 30, "tcpdump captures",
                   diagnose=self.output)
        return self

    def output(self):
        with open(f"{self.stem}.out", encoding="utf-8", errors="replace") as file:
            return file.read()

    @property
    def path(self):
        return f"{self.stem}.pcap"

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait()
            if "\n0 packets dropped by kernel" not in self.output():
                raise CaptureError(f"not everything was captured: {self.output()}")
            self.packets = list(read_packets(self.path))

    # what the packets are

    def count(self):
        """Counter of (kind, from, to) with nodes' names; kind is None for what must not be."""
        return Counter(self.describe(packet) for packet in self.packets)

    def describe(self, packet):
        names = {node.address: node.name for node in self.lab.topology.of_kind("sr", "gateway")}
        return (kind(self.lab.topology, packet), names.get(packet.source, str(packet.source)),
                names.get(packet.destination, str(packet.destination)))

    def clear(self):
        """Packets that the provider must not see."""
        return [packet for packet in self.packets
                if kind(self.lab.topology, packet) is None or ping.MARKER in packet.data]


def kind(topology, packet):
    """ESP, IKE, BGP, ... or None for a packet that must not cross the provider."""
    if packet.ethertype == ARP:
        return "ARP"
    if packet.ethertype != IPV4:
        return None
    ends = {packet.source, packet.destination}
    gateways = {node.address for node in topology.gateways}
    servers = {node.address for node in topology.of_kind("sr")}
    if packet.protocol == ESP and ends <= gateways:
        return "ESP"
    if packet.protocol == UDP and {500, 4500} & set(packet.ports):
        if ends & servers and ends <= servers | gateways:
            return "IKE"
        if any(ends == {topology.nodes[name].address for name in tunnel.ends}
               for tunnel in topology.tunnels):
            return "IKE of the ordinary tunnel"
    if packet.protocol == TCP and 179 in packet.ports and ends & servers \
            and ends <= servers | gateways:
        return "BGP"
    # a daemon that is away: its kernel says so
    if packet.protocol == ICMP and ends <= servers | gateways and ends & servers \
            and packet.data[(packet.data[0] & 15) * 4] == 3:
        return "ICMP unreachable"
    return None
