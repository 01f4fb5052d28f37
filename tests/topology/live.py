# SPDX-License-Identifier: GPL-2.0-or-later
"""The running topology, as a test or the demo sees it."""

import json
import os
import subprocess

from . import daemons, declaration, namespaces
from .wait import wait_until  # noqa: F401  (for those who use live)

COMMAND_S = 60


def running():
    """The topology around this process (see lab)."""
    return Lab(declaration.load(os.environ["LAB_TOPOLOGY"]))


class CommandError(Exception):
    pass


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
        """What `show ... json` gave."""
        text = self.vtysh(name, f"{line} json")
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
