# SPDX-License-Identifier: GPL-2.0-or-later
"""The running topology, as a test or the demo sees it."""

import json
import os
import subprocess

from . import daemons, declaration, namespaces, ping, vty
from .errors import CommandError

COMMAND_S = 60


def running():
    """The topology around this process (see lab)."""
    return Lab(declaration.load(os.environ["LAB_TOPOLOGY"]))


class Lab:
    def __init__(self, topology):
        self.topology = topology
        self.supervisor = daemons.Supervisor(topology)
        self.programs = self.supervisor.programs

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

    # daemons

    def kill(self, name, daemon):
        self.supervisor.end(name, daemon)

    def start(self, name, daemon):
        self.supervisor.start(name, daemon)

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
