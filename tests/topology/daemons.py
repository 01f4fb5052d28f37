# SPDX-License-Identifier: GPL-2.0-or-later
"""Starts, stops and kills the daemons of a node, as the node's supervisor would.

Where the programs are comes from the environment, see README.md.
"""

import os
import signal
import subprocess
import time

from . import namespaces
from .wait import wait_until

FRR_DAEMONS = ("mgmtd", "zebra", "bgpd", "gcksd")
DAEMONS = FRR_DAEMONS + ("charon",)
START_S = 60


class Programs:
    """Paths of everything that is started."""

    def __init__(self, environment=os.environ):
        prefix = environment.get("LAB_PREFIX", "/usr")
        self.modules = environment.get("LAB_FRR_MODULES", f"{prefix}/lib/frr/modules")
        self.plugins = environment.get("LAB_STRONGSWAN_PLUGINS", f"{prefix}/lib/ipsec/plugins")
        self.vtysh_definitions = environment.get("LAB_VTYSH_DEFINITIONS", "/etc/frr/vtysh.d")
        self.daemons = {name: f"{prefix}/sbin/{name}" for name in FRR_DAEMONS}
        self.daemons["charon"] = f"{prefix}/libexec/ipsec/charon"
        self.vtysh = f"{prefix}/bin/vtysh"
        self.swanctl = f"{prefix}/sbin/swanctl"
        # what a person types in a node
        self.path = [f"{prefix}/bin", f"{prefix}/sbin"]


def pid_file(name, daemon):
    place = "charon.pid" if daemon == "charon" else f"frr/{daemon}.pid"
    return os.path.join(namespaces.folder(name), "run", place)


def pid_of(name, daemon):
    """The daemon's process id, or None when it does not run."""
    try:
        with open(pid_file(name, daemon), encoding="ascii") as file:
            pid = int(file.read())
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            state = file.read()
    except (OSError, ValueError):
        return None
    # not a zombie, and not another process that got the number
    own = f"({daemon}" in state and state.rpartition(")")[2].split()[0] != "Z"
    return pid if own else None


class Supervisor:
    def __init__(self, topology, programs=None):
        self.topology = topology
        self.programs = programs or Programs()

    def daemons_of(self, name):
        frr = FRR_DAEMONS if self.topology.runs_frr(name) else ()
        if not self.topology.groups:
            frr = tuple(daemon for daemon in frr if daemon != "gcksd")
        return (("charon",) if self.topology.runs_charon(name) else ()) + frr

    def command(self, name, daemon):
        program = self.programs.daemons[daemon]
        if daemon == "charon":
            return [program]
        # no -d: the fork would copy a daemon that has its libraries in place already
        command = [program, "-u", "root", "-g", "root",
                   "--log", f"file:/var/log/frr/{daemon}.log", "--log-level", "debug",
                   "--moduledir", self.programs.modules]
        if daemon != "gcksd":
            command += ["-P", "0"]
        if daemon == "bgpd" and self.topology.groups:
            command += ["-M", "gsa"]
        return command

    def launch(self, name, daemon):
        """Starts a daemon; await_ready() tells when it listens."""
        output = os.path.join(namespaces.folder(name), "log", f"{daemon}.out")
        # what a killed one leaves behind would count as ready
        stale = [self.socket_of(name, daemon)]
        if daemon == "charon":
            stale.append(os.path.join(namespaces.folder(name), "run/charon.pid"))
        for path in filter(os.path.exists, stale):
            os.unlink(path)
        # A pipe as standard output would never close: FRR 10.3 keeps it open.
        with open(output, "ab") as file:
            return namespaces.popen(name, self.command(name, daemon), stdin=subprocess.DEVNULL,
                                    stdout=file, stderr=file, start_new_session=True)

    def socket_of(self, name, daemon):
        place = "charon.vici" if daemon == "charon" else f"frr/{daemon}.vty"
        return os.path.join(namespaces.folder(name), "run", place)

    def pid(self, name, daemon):
        return pid_of(name, daemon)

    def running(self, name, daemon):
        return pid_of(name, daemon) is not None

    def await_ready(self, name, daemon, process=None):
        def ready():
            if process and process.poll() is not None:
                raise OSError(f"{daemon} of {name} ended with status {process.returncode}: "
                              + self.tail(name, f"{daemon}.out"))
            return pid_of(name, daemon) and os.path.exists(self.socket_of(name, daemon))
        wait_until(ready, START_S, f"{daemon} of {name} listens",
                   diagnose=lambda: self.tail(name, f"{daemon}.out"))

    def tail(self, name, log, lines=5):
        try:
            with open(os.path.join(namespaces.folder(name), "log", log), encoding="utf-8",
                      errors="replace") as file:
                return "\n".join(file.read().splitlines()[-lines:])
        except OSError as error:
            return str(error)

    def configure(self, name, kinds=("frr", "charon")):
        """Loads the node's configuration into its running daemons; the processes to wait for."""
        running = []
        log = os.path.join(namespaces.folder(name), "log", "configure.out")
        with open(log, "ab") as file:
            options = {"stdin": subprocess.DEVNULL, "stdout": file, "stderr": file}
            if "charon" in kinds and self.topology.runs_charon(name):
                running.append(namespaces.popen(
                    name, [self.programs.swanctl, "--load-all", "--noprompt"], **options))
            if "frr" in kinds and self.topology.runs_frr(name):
                running.append(namespaces.popen(
                    name, [self.programs.vtysh, "-b", "--no-fork"], **options))
        return running

    def finish_configure(self, name, running):
        for process in running:
            if process.wait() != 0:
                raise OSError(f"{process.args[-2]} {process.args[-1]} of {name} ended with status "
                              f"{process.returncode}: {self.tail(name, 'configure.out')}")

    def start(self, name, daemon):
        """One daemon, ready and configured."""
        if pid_of(name, daemon):
            raise OSError(f"{daemon} of {name} runs already")
        self.await_ready(name, daemon, self.launch(name, daemon))
        self.finish_configure(name, self.configure(
            name, ("charon",) if daemon == "charon" else ("frr",)))

    def end(self, name, daemon, number=signal.SIGKILL, deadline_s=START_S):
        pid = pid_of(name, daemon)
        if pid is None:
            raise OSError(f"{daemon} of {name} does not run")
        os.kill(pid, number)
        wait_until(lambda: pid_of(name, daemon) is None, deadline_s,
                   f"{daemon} of {name} has ended")
        return pid

    def start_all(self, which=DAEMONS):
        """Those daemons of all nodes, at once, and their configuration."""
        nodes = [node.name for node in self.topology.of_kind("sr", "gateway")]
        launched = [(name, daemon, self.launch(name, daemon)) for name in nodes
                    for daemon in self.daemons_of(name) if daemon in which]
        for entry in launched:
            self.await_ready(*entry)
        kinds = (("charon",) if "charon" in which else ()) \
            + (("frr",) if set(which) & set(FRR_DAEMONS) else ())
        configured = [(name, self.configure(name, kinds)) for name in nodes]
        for entry in configured:
            self.finish_configure(*entry)

    def kill_all(self):
        pids = [pid_of(node.name, daemon) for node in self.topology.of_kind("sr", "gateway")
                for daemon in self.daemons_of(node.name)]
        for pid in filter(None, pids):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        deadline = time.monotonic() + 5
        while any(pid and os.path.exists(f"/proc/{pid}/fd/0") for pid in pids) \
                and time.monotonic() < deadline:
            time.sleep(0.02)
