#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: crashes
#
#   host1 ── site1 ──┐
#                    │              blue (pairwise, certificates): site1 site2 site3
#   host2 ── site2 ──┼── provider   red (one SA for all, PSK): site2 site3
#                    │      │
#   host3 ── site3 ──┘      sr
"""Daemons are killed at random points of registrations and rekeys. Soon after the restart both
sides agree about who is registered and which SAs there are, and no key was made for it.

CRASH_SEED sets the seed of the random numbers, CRASH_ROUNDS the number of kills.
"""

import os
import random
import threading
import time

from agreement import faults, made_sas
from harness import case, check, main, wait_until
from observe import check_nothing_clear, converged, sessions, still_answering
from rekeying import await_alone, await_generation, check_no_loss, made, rekey, rekey_through
from topology import ping, vty
from topology.capture import Capture
from topology.errors import LabError, Timeout

SEED = int(os.environ.get("CRASH_SEED", "20261125"))
ROUNDS = int(os.environ.get("CRASH_ROUNDS", "50"))
AGREED_S = 10
STEP_S = 60
DAEMONS = ("gcksd", "charon", "bgpd")
LATE = "site3"  # in both groups
LATE_S = 8      # of the S/R's update-delay of 30
TOGETHER = 4    # SAs of a group beyond which gcksd lets a rekey wait


# one round

class Event(threading.Thread):
    """A command to the key server's gcksd, which may die over it."""

    def __init__(self, lab, line):
        super().__init__(daemon=True)
        self.path = lab.supervisor.socket_of("sr", "gcksd")
        self.line, self.done = line, False

    def run(self):
        try:
            vty.command(self.path, self.line)
            self.done = True
        except LabError:
            pass


def choose(lab, numbers):
    """(command, group that it rekeys or "", member that it puts out or None)"""
    groups = list(lab.topology.groups.values())
    group = numbers.choice(groups)
    if numbers.random() < 0.5:
        return f"gsa rekey group {group.name}", group.name, None
    member = numbers.choice(group.members)
    return f"clear gsa member {member.identity}", "", member


def await_agreement(lab, flows, restarted):
    """Seconds that it took since the restart."""
    left = AGREED_S - (time.monotonic() - restarted)
    wait_until(lambda: not faults(lab), left, f"both sides agree, {AGREED_S} s after the restart",
               diagnose=lambda: "\n".join(faults(lab)))
    left = max(AGREED_S - (time.monotonic() - restarted), 0)
    silent = set(flows) - set(ping.answering(flows, left))
    check(not silent, lambda: f"silent {AGREED_S} s after the restart: "
          + ", ".join(str(flow) for flow in silent))
    return time.monotonic() - restarted


def check_generations(before, now, event, rekeyed, victim):
    for group, generation in before.items():
        allowed = {generation}
        if group == rekeyed:
            allowed = {generation + 1}
            if victim == ("sr", "gcksd") and not event.done:
                allowed.add(generation)
        check(now[group] in allowed, f"{group} is at generation {now[group]} and was at "
              f"{generation}; '{event.line}', {'done' if event.done else 'not answered'}")


def check_alive(lab, before, victim):
    for key, pid in before.items():
        if key != victim:
            check(lab.supervisor.pid(*key) == pid, f"{' '.join(key)} has died as well")


def pids(lab):
    return {(node.name, daemon): lab.supervisor.pid(node.name, daemon)
            for node in lab.topology.of_kind("sr", "gateway")
            for daemon in lab.supervisor.daemons_of(node.name)}


def interrupted(lab, node):
    """How often states of a pair were asked for that the kernel does not hold: charon died meanwhile.

    Whether they were there for a moment nobody knows, so the member takes its next Sender-ID, and
    its packets are lost until the others have learnt that (ARCHITECTURE.md, "What happens when the
    kernel loses a state").
    """
    return len(lab.log_lines(node, "gcksd", "not in the kernel any more", "another Sender-ID"))


def hosts_behind(lab, node):
    return {host.name for host in lab.topology.hosts_behind(node)}


def crash(lab, numbers, describe):
    line, rekeyed, put_out = choose(lab, numbers)
    victim = (numbers.choice(["sr", *(node.name for node in lab.topology.gateways)]),
              numbers.choice(DAEMONS))
    # within a rekey and the first moments of a registration, or anywhere up to its end
    delay = numbers.uniform(0, numbers.choice((0.05, 0.3, 1.5)))
    describe(f"'{line}', {delay:.3f} s later SIGKILL of {' '.join(victim)}")
    if rekeyed:
        wait_until(lambda: len(made(lab, rekeyed)) < TOGETHER, STEP_S, "an old SA goes")
    _, before = made_sas(lab)
    alive = pids(lab)
    flows = lab.host_flows(reachable=True)
    disturbed = hosts_behind(lab, put_out.node) if put_out else set()
    interruptions = interrupted(lab, victim[0])
    with ping.Traffic(flows, interval_s=0.1) as traffic:
        wait_until(lambda: all(still_answering(flow) for flow in flows), STEP_S, "traffic flows")
        start = time.monotonic()
        event = Event(lab, line)
        event.start()
        time.sleep(delay)
        lab.kill(*victim)
        lab.start(*victim)
        restarted = time.monotonic()
        event.join(STEP_S)
        took = await_agreement(lab, lab.host_flows(reachable=True), restarted)
        end = time.monotonic()
        wait_until(lambda: all(still_answering(flow) for flow in flows), STEP_S, "traffic flows")
        traffic.stop()
    check_generations(before, made_sas(lab)[1], event, rekeyed, victim)
    check_alive(lab, alive, victim)
    if victim[1] == "charon" and interrupted(lab, victim[0]) > interruptions:
        disturbed |= hosts_behind(lab, victim[0])
        print(f"# the next one: states of {victim[0]} were asked for when its charon died", flush=True)
    # what a daemon does not do, the kernel goes on with
    check_no_loss([flow for flow in flows if not {flow.source, flow.target} & disturbed],
                  start, end)
    converged(lab)
    return took


@case("a gcksd that is dead when the next SA is to be used: the site goes on with the old one so long")
def dead_at_activation(lab):
    # however long the restart takes on a busy machine
    lab.configure("sr", "gsa group blue", "deactivation-delay 20")
    number = rekey_through(lab, "blue")
    flows = lab.host_flows(reachable=True)
    with ping.Traffic(flows) as traffic:
        wait_until(lambda: all(still_answering(flow) for flow in flows), STEP_S, "traffic flows")
        start = time.monotonic()
        activation = start + lab.topology.groups["blue"].leaves["activation-delay"]
        await_generation(lab, "blue", rekey(lab, "blue"))
        time.sleep(max(activation - 1 - time.monotonic(), 0))
        lab.kill("site3", "gcksd")
        time.sleep(max(activation + 1 - time.monotonic(), 0))
        lab.start("site3", "gcksd")
        await_generation(lab, "blue", number + 1)
        await_alone(lab, "blue")
        end = time.monotonic()
        wait_until(lambda: all(still_answering(flow) for flow in flows), STEP_S, "traffic flows")
        traffic.stop()
    lab.configure("sr", "gsa group blue", "deactivation-delay 5")
    check_no_loss(flows, start, end)


def told_all(lab, before):
    """Whether the S/R has said to each member, over a new session, that it has told all."""
    server = str(lab.topology.key_server.address)
    for node in lab.topology.gateways:
        peer = lab.show(node.name, "show bgp neighbors")[server]
        if peer["bgpState"] != "Established" \
                or peer["connectionsEstablished"] <= before[node.name] \
                or not peer["gracefulRestartInfo"]["endOfRibRecv"].get("ipv4Unicast"):
            return False
    return True


@case("the S/R's bgpd restarts soon after those of all members: no route is gone in between")
def bgpd_after_bgpd(lab):
    flows = lab.host_flows(reachable=True)
    for node in lab.topology.gateways:
        lab.kill(node.name, "bgpd")
        lab.start(node.name, "bgpd")
    wait_until(lambda: not faults(lab), STEP_S, "both sides agree",
               diagnose=lambda: "\n".join(faults(lab)))
    converged(lab)
    # each member's bgpd has told its gcksd all routes, and so has what it needs of BGP
    for node in lab.topology.gateways:
        wait_until(lambda name=node.name: all(
            entry["state"] == "up" for entry in lab.show(name, "show gsa daemons")["daemon"]),
            STEP_S, f"the daemons of {node.name} are connected")
    # one's routes come long after its session: who does not wait for them announces without them
    block = f"router bgp {lab.topology.nodes[LATE].as_number}"
    lab.configure(LATE, block, f"coalesce-time {LATE_S * 1000}")
    server = str(lab.topology.key_server.address)
    before = {node.name: sessions(lab, node.name)[server][1] for node in lab.topology.gateways}
    with ping.Traffic(flows) as traffic:
        wait_until(lambda: all(still_answering(flow) for flow in flows), STEP_S, "traffic flows")
        start = time.monotonic()
        lab.kill("sr", "bgpd")
        lab.start("sr", "bgpd")
        # until then the others keep what they had of it
        wait_until(lambda: told_all(lab, before), STEP_S, "the S/R has told each member all")
        converged(lab)
        wait_until(lambda: not faults(lab), STEP_S, "both sides agree",
                   diagnose=lambda: "\n".join(faults(lab)))
        end = time.monotonic()
        wait_until(lambda: all(still_answering(flow) for flow in flows), STEP_S, "traffic flows")
        traffic.stop()
    check_no_loss(flows, start, end)
    lab.configure(LATE, block, f"no coalesce-time {LATE_S * 1000}")


@case(f"{ROUNDS} times a daemon is killed during a registration or a rekey: both sides agree soon")
def crashes(lab):
    numbers = random.Random(SEED)
    print(f"# seed {SEED}", flush=True)
    wait_until(lambda: not faults(lab), STEP_S, "both sides agree at first",
               diagnose=lambda: "\n".join(faults(lab)))
    worst = 0
    with Capture(lab, "provider", "crashes") as capture:
        for number in range(1, ROUNDS + 1):
            told = []
            try:
                took = crash(lab, numbers, told.append)
            except (LabError, Timeout) as error:
                raise LabError(f"round {number} of seed {SEED}: {told[0]}\n{error}") from None
            worst = max(worst, took)
            print(f"# round {number}: {told[0]}: agreed after {took:.1f} s", flush=True)
    check_nothing_clear(capture)
    print(f"# the longest took {worst:.1f} s", flush=True)


if __name__ == "__main__":
    main()
