# SPDX-License-Identifier: GPL-2.0-or-later
"""The running topology, as a test or the demo sees it."""

import json
import os
import subprocess
import time

from . import configuration, daemons, declaration, namespaces, ping, vty
from . import states as xfrm
from .errors import CommandError

COMMAND_S = 60
SENDER_ID_BITS = 16    # gcksd's default


def running():
    """The topology around this process (see lab)."""
    return Lab(declaration.load(os.environ["LAB_TOPOLOGY"]))


class Lab:
    def __init__(self, topology, supervisor=None):
        self.topology = topology
        self.supervisor = supervisor or daemons.Supervisor(topology)
        self.programs = self.supervisor.programs
        self.spis = {}   # of group SAs, also of those that were replaced: {SPI: group}

    def run(self, name, *command, check=True, deadline_s=COMMAND_S):
        """Standard output of a command in a node; its status may matter (`check`)."""
        process = namespaces.popen(name, command, stdin=subprocess.DEVNULL, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with process:
            try:
                output, errors = process.communicate(timeout=deadline_s)
            except subprocess.TimeoutExpired:
                process.kill()
                raise CommandError(f"{' '.join(command)} on {name}: no end in {deadline_s} s") \
                    from None
        if check and process.returncode != 0:
            raise CommandError(f"{' '.join(command)} on {name}: status {process.returncode}: "
                               f"{(errors or output).strip()}")
        return output

    def vtysh(self, name, *lines, check=True):
        command = [self.programs.vtysh]
        for line in lines:
            command += ["-c", line]
        return self.run(name, *command, check=check)

    def show(self, name, line):
        """What `show ... json` gives."""
        daemon = "gcksd" if line.startswith("show gsa") else "bgpd"
        text = vty.command(self.supervisor.socket_of(name, daemon), f"{line} json")
        try:
            return json.loads(text)
        except ValueError:
            raise CommandError(f"{line} json on {name} gave no JSON: {text.strip()[:500]}") \
                from None

    def configure(self, name, *lines):
        """Configuration lines; an answer of vtysh other than silence is an error."""
        text = self.vtysh(name, "configure terminal", *lines, check=False).strip()
        if text:
            raise CommandError(f"{'; '.join(lines)} on {name}: {text}")

    def log(self, name, daemon):
        place = "log/charon.log" if daemon == "charon" else f"log/frr/{daemon}.log"
        path = os.path.join(os.environ["LAB_RUN"], name, place)
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def log_lines(self, name, daemon, *words):
        """Lines of a daemon's log that have all the words."""
        return [line for line in self.log(name, daemon).splitlines()
                if all(word in line for word in words)]

    # configuration

    def declared_block(self, name, header):
        """The lines of a block of the node's declared configuration, as one types them."""
        lines = iter(self.declared(name))
        for line in lines:
            if line == header:
                block = [line]
                for following in lines:
                    if not following.startswith(" "):
                        return block
                    block.append(following.strip())
        raise CommandError(f"{name} has no '{header}' in its declared configuration")

    def declared_lines(self, name):
        """What of the declared configuration is about groups, as it is written."""
        found, inside = [], False
        for line in self.declared(name):
            if not line.startswith(" "):
                inside = line.startswith("gsa ")
            if line != "exit" and (inside or line == " gsa" or " gsa group " in line):
                found.append(line)
        return found

    def declared(self, name):
        return configuration.frr(self.topology, self.topology.nodes[name]).splitlines()

    # groups

    def registrations(self):
        """Entries of the S/R's table, with YANG's names."""
        return self.show(self.topology.key_server.name, "show gsa registrations")\
            .get("registration", [])

    def registration(self, identity, group=None):
        """The entry of an identity (in a group), or None."""
        for entry in self.registrations():
            if entry["identity"] == identity and group in (None, entry["group"]):
                return entry
        return None

    def members(self, name):
        """A node's own memberships, with YANG's names."""
        return self.show(name, "show gsa member").get("member", [])

    def member(self, name, group, state=None):
        """A node's membership in a group (if it is in that state), or None."""
        for entry in self.members(name):
            if entry["group"] == group and state in (None, entry["state"]):
                return entry
        return None

    def registered_groups(self, name):
        return {entry["group"] for entry in self.members(name) if entry["state"] == "registered"}

    def states(self, name):
        """The IPsec states in a node's kernel (states.py) with their "group", "" for others.

        The S/R knows the SPI of every group, so a state is told from others also at a member
        that has forgotten the group, or should have.
        """
        for place in {self.topology.key_server.name, name}:
            # a gcksd that is away has told its SPIs before
            if self.supervisor.running(place, "gcksd"):
                self.spis |= {int(entry["spi"], 16): entry["group"]
                              for entry in self.show(place, "show gsa sa").get("sa", [])
                              if "spi" in entry}
        return [{**state, "group": self.group_of(state["spi"])}
                for state in xfrm.parse(self.run(name, "ip", "xfrm", "state"))]

    def group_of(self, spi):
        """The group of a state's SPI, "" for none."""
        for group in self.topology.groups:
            if self.spis.get(spi & ~self.sender_mask(group)) == group:
                return group
        return ""

    def sender_mask(self, group):
        """The bits of an SPI that hold the Sender-ID."""
        declared = self.topology.groups[group]
        if declared.sharing != "pairwise":
            return 0
        return (1 << declared.leaves.get("sender-id-bits", SENDER_ID_BITS)) - 1

    # daemons

    def kill(self, name, daemon):
        self.supervisor.end(name, daemon)

    def start(self, name, daemon):
        self.supervisor.start(name, daemon)

    # the clock

    def step_clock(self, seconds):
        """The time of day, of all nodes: they have one clock, the machine's."""
        time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)

    # routes

    def group_routes(self, name):
        """{(group, prefix): gateway} of the group routes from others that a node uses.

        A member's are ready as well: gcksd has said that traffic to them is protected.
        """
        member = self.topology.nodes[name].kind != "sr"
        return {(group, route["prefix"]): route["gateway"]
                for route in self.show(name, "show bgp gsa routes").get("route", [])
                if route["peer"] != "local" and route["selected"]
                and route["eligible"] and (route["ready"] or not member)
                for group in route["group"]}

    # traffic

    def flow(self, source, target):
        """From one host (or gateway) to another one's address."""
        return ping.Flow(source, target, self.topology.nodes[target].address)

    def host_flows(self, reachable=None):
        """Between all pairs of hosts, or those that shall (not) reach each other."""
        hosts = [node.name for node in self.topology.of_kind("host")]
        return [self.flow(one, other) for one in hosts for other in hosts if one != other
                and reachable in (None, self.topology.reachable(one, other))]

    def tunnel_flows(self):
        """Through the ordinary tunnels, both ways."""
        for tunnel in self.topology.tunnels:
            for one, other in ((0, 1), (1, 0)):
                yield ping.Flow(tunnel.ends[one], tunnel.ends[other], tunnel.subnets[other][1],
                                tunnel.subnets[one][1])
