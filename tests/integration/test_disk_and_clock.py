#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: crashes
#
#   host1 ── site1 ──┐
#                    │              blue (pairwise, certificates): site1 site2 site3
#   host2 ── site2 ──┼── provider   red (one SA for all, PSK): site2 site3
#                    │      │
#   host3 ── site3 ──┘      sr
"""A full disk, a read-only file system, a clock that is set: each is named in the log,
what was there before goes on, what cannot be stored is not given out, and nothing is lost."""

import calendar
import hashlib
import os
import stat
import time

from agreement import faults, made_sas
from harness import case, check, main, wait_until
from observe import check_flows_undisturbed, converged, still_answering
from topology import ping

STEP_S = 60
STATE = "/var/lib/frr"
IMAGE_MB = 4
HOUR_S = 3600
REGISTRATION_FAILED = 49


# a file system of its own for gcksd's store; the first case gives the key server one

def device(number):
    path = f"/dev/loop{number}"
    if not os.path.exists(path):
        os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(7, number))
    return path


def give_file_system(lab, node, number):
    image = "/run/store.img"
    lab.supervisor.end(node, "gcksd")
    lab.run(node, "mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", image,
            f"{IMAGE_MB}M")
    lab.run(node, "losetup", device(number), image)
    lab.run(node, "sh", "-ec", f"mkdir -p /run/new; mount {device(number)} "
            f"/run/new; cp -a {STATE}/. /run/new/; umount /run/new; "
            f"mount {device(number)} {STATE}")
    lab.start(node, "gcksd")


def fill(lab, node):
    def is_full():
        # a store that empties its log gives some of it back
        lab.run(node, "sh", "-c", f"cat /dev/zero >>{STATE}/filler", check=False)
        return lab.run(node, "df", "--output=avail", STATE).split()[-1] == "0"
    wait_until(is_full, STEP_S, f"{STATE} on {node} is full")


def empty(lab, node):
    lab.run(node, "rm", f"{STATE}/filler")


def remount(lab, node, how):
    lab.run(node, "mount", "-o", f"remount,{how}", STATE)


def turn_read_only(lab, node):
    """Under open files, as a kernel does that does not trust the disk any more."""
    # all that are on block devices: ours alone
    lab.run(node, "sh", "-c", "echo u >/proc/sysrq-trigger")
    wait_until(lambda: lab.run(node, "findmnt", "-no", "FS-OPTIONS", "-t", "ext4", STATE)
               .startswith("ro"), STEP_S, f"{STATE} on {node} is read-only")


def store_digest(lab):
    digest = hashlib.sha256()
    for name in ("gcksd.db", "gcksd.db-wal", "gcksd.key"):
        digest.update(lab.run("sr", "sha256sum", f"{STATE}/{name}", check=False).encode())
    return digest.hexdigest()


# what all of them share

class Undisturbed:
    """Traffic between all hosts from begin to end of the block, and not a daemon dies in it."""

    def __init__(self, lab, without=()):
        self.lab, self.flows = lab, lab.host_flows(reachable=True)
        self.others = [flow for flow in self.flows
                       if not {flow.source, flow.target} & set(without)]

    def __enter__(self):
        self.traffic = ping.Traffic(self.flows, interval_s=0.1)
        self.traffic.__enter__()
        wait_until(self.all_answer, STEP_S, "traffic flows")
        self.start = time.monotonic()
        return self

    def all_answer(self):
        return all(still_answering(flow) for flow in self.flows)

    def __exit__(self, kind, *_):
        end = time.monotonic()
        if not kind:
            wait_until(self.all_answer, STEP_S, "traffic flows again")
        self.traffic.stop()
        if not kind:
            check_flows_undisturbed(self.others, self.start, end)


def agree(lab):
    wait_until(lambda: not faults(lab), STEP_S, "both sides agree",
               diagnose=lambda: "\n".join(faults(lab)))


def newest(lab):
    """{group: SPI}; older ones may end meanwhile, as they should."""
    return {group: spis[-1] for group, spis in made_sas(lab)[0].items()}


def marks(lab, node, *words):
    return len(lab.log_lines(node, "gcksd", *words))


def await_new_log(lab, node, mark, *words):
    wait_until(lambda: marks(lab, node, *words) > mark, STEP_S,
               f"gcksd of {node} logs {', '.join(words)}",
               diagnose=lambda: lab.supervisor.tail(node, "frr/gcksd.log", 10))


def register_again(lab, site):
    """Its charon is restarted: it has to register, and the key server to store that."""
    lab.kill(site, "charon")
    lab.start(site, "charon")


def nothing_given_out(lab, before):
    """No member holds what the key server has not stored, and nothing new was made."""
    spis, _ = made_sas(lab)
    # one that was replaced before may end meanwhile
    check(spis.keys() == before.keys() and
          all(set(spis[group]) <= set(before[group]) for group in before),
          f"the key server had {before}, has {spis}")
    for node in lab.topology.gateways:
        for entry in lab.members(node.name):
            for sa in entry.get("sa", []):
                check(sa["spi"] in before[entry["group"]], f"{node.name} holds {sa}")


@case("the key server's disk is full: no new key and no registration, members go on; it is free: "
      "all is well by itself")
def full_disk(lab):
    give_file_system(lab, "sr", 0)
    converged(lab)
    agree(lab)
    before, generations = made_sas(lab)
    mark, put_off = marks(lab, "sr", "free space"), marks(lab, "sr", "is put off")
    with Undisturbed(lab):
        fill(lab, "sr")
        register_again(lab, "site1")
        await_new_log(lab, "sr", mark, "free space")
        wait_until(lambda: lab.member("site1", "blue").get("notify") == REGISTRATION_FAILED,
                   STEP_S, "site1 is told", diagnose=lambda: lab.members("site1"))
        lab.vtysh("sr", "gsa rekey group blue")
        await_new_log(lab, "sr", put_off, "is put off")
        nothing_given_out(lab, before)
        empty(lab, "sr")
        agree(lab)
        wait_until(lambda: made_sas(lab)[1]["blue"] == generations["blue"] + 1, STEP_S,
                   "the rekey is made up for", diagnose=lambda: made_sas(lab))
        agree(lab)
    check(made_sas(lab)[1]["red"] == generations["red"], "red has a new SA")
    converged(lab)


@case("a gcksd that was killed on the full disk comes back with all that it had")
def killed_on_full_disk(lab):
    agree(lab)
    before = newest(lab)
    with Undisturbed(lab):
        fill(lab, "sr")
        lab.kill("sr", "gcksd")
        try:
            lab.start("sr", "gcksd")
        except OSError:
            # refusing to run is allowed, losing something is not
            check(lab.log_lines("sr", "gcksd", "free space"), "the log does not say why")
        empty(lab, "sr")
        if not lab.supervisor.running("sr", "gcksd"):
            lab.start("sr", "gcksd")
        agree(lab)
    check(newest(lab) == before, f"the newest SAs were {before}, are {newest(lab)}")
    converged(lab)


@case("the key server's file system turns read-only under a running gcksd: named, no new key and no "
      "registration; it can be written again: all is well by itself")
def turned_read_only(lab):
    agree(lab)
    before, generations = made_sas(lab)
    refused, ended = ("store /var/lib/frr/gcksd.db", "ead-only"), "is not stored yet"
    mark, ends = marks(lab, "sr", *refused), marks(lab, "sr", ended)
    with Undisturbed(lab):
        turn_read_only(lab, "sr")
        register_again(lab, "site1")
        await_new_log(lab, "sr", mark, *refused)
        wait_until(lambda: lab.member("site1", "blue").get("notify") == REGISTRATION_FAILED,
                   STEP_S, "site1 is told", diagnose=lambda: lab.members("site1"))
        lab.vtysh("sr", "gsa rekey group blue")
        # what ends ends all the same; nothing of the hosts' goes through red
        lab.vtysh("sr", "clear gsa group red member site3.red.example")
        await_new_log(lab, "sr", ends, ended)
        check(not lab.registration("site3.red.example"), "the end of a registration waits")
        nothing_given_out(lab, before)
        remount(lab, "sr", "rw")
        agree(lab)
        wait_until(lambda: made_sas(lab)[1]["blue"] == generations["blue"] + 1, STEP_S,
                   "the rekey is made up for", diagnose=lambda: made_sas(lab))
        agree(lab)
    check(made_sas(lab)[1]["red"] == generations["red"], "red has a new SA")
    stored = newest(lab)
    lab.kill("sr", "gcksd")
    lab.start("sr", "gcksd")
    agree(lab)
    check(newest(lab) == stored, f"the newest SAs were {stored}, are {newest(lab)}")
    converged(lab)


@case("what is stored, but not synced, is told to nobody; nobody loses the connection, and all are told "
      "when it is synced")
def not_synced(lab):
    agree(lab)
    connected, told = marks(lab, "sr", "is connected"), marks(lab, "sr", "are told nothing")
    before, anchor = newest(lab), f"{STATE}/gcksd.db.anchor"
    with Undisturbed(lab):
        # the last thing that a sync writes
        lab.run("sr", "sh", "-ec", f"mv {anchor} /run/anchor; mkdir {anchor}")
        lab.vtysh("sr", "gsa rekey group blue")
        await_new_log(lab, "sr", told, "are told nothing")
        made = newest(lab)["blue"]
        check(made != before["blue"], "no SA was made")
        register_again(lab, "site1")
        wait_until(lambda: lab.member("site1", "blue").get("notify") == REGISTRATION_FAILED,
                   STEP_S, "site1 has no answer", diagnose=lambda: lab.members("site1"))
        for node in lab.topology.gateways:
            check(made not in str(lab.members(node.name)), f"{node.name} holds {made}")
        lab.run("sr", "sh", "-ec", f"rmdir {anchor}; mv /run/anchor {anchor}")
        agree(lab)
    check(newest(lab)["blue"] == made, "the SA is another one")
    check(marks(lab, "sr", "is connected") == connected, "a connection was lost")
    check(marks(lab, "sr", "are told nothing") == told + 1, "it was logged more than once")
    converged(lab)


@case("gcksd does not start on a read-only store, says why and touches nothing")
def start_read_only(lab):
    agree(lab)
    before = newest(lab)
    with Undisturbed(lab):
        lab.kill("sr", "gcksd")
        remount(lab, "sr", "ro")
        files = store_digest(lab)
        mark = marks(lab, "sr", "store /var/lib/frr/gcksd.db")
        try:
            lab.start("sr", "gcksd")
            check(False, "gcksd runs on a read-only store")
        except OSError as error:
            check("store /var/lib/frr/gcksd.db" in str(error)
                  or marks(lab, "sr", "store /var/lib/frr/gcksd.db") > mark,
                  f"it does not say why: {error}")
        check(store_digest(lab) == files, "the store has changed")
        remount(lab, "sr", "rw")
        lab.start("sr", "gcksd")
        agree(lab)
    check(newest(lab) == before, f"the newest SAs were {before}, are {newest(lab)}")
    converged(lab)


@case("a member's disk is full when a new SA comes: it says so, goes on with the old one, and takes "
      "the new one when there is room")
def full_member(lab):
    give_file_system(lab, "site2", 1)
    converged(lab)
    agree(lab)
    mark = marks(lab, "site2", "free space")
    with Undisturbed(lab):
        fill(lab, "site2")
        lab.vtysh("sr", "gsa rekey group blue")
        await_new_log(lab, "site2", mark, "free space")
        empty(lab, "site2")
        agree(lab)
    converged(lab)


# the clock

def clock_is_set(lab, seconds):
    agree(lab)
    before_it = newest(lab)
    nodes = ["sr", *(node.name for node in lab.topology.gateways)]
    words = f"time of day was stepped by {'+' if seconds > 0 else '-'}"
    before = {node: marks(lab, node, words) for node in nodes}
    with Undisturbed(lab):
        lab.step_clock(seconds)
        for node in nodes:
            await_new_log(lab, node, before[node], words)
        # restarted, it knows its SAs' age in another way
        lab.kill("sr", "gcksd")
        lab.start("sr", "gcksd")
        agree(lab)
    check(newest(lab) == before_it, f"the newest SAs were {before_it}, are {newest(lab)}")
    converged(lab)


@case("the clock is set forward by an hour: it is in the log, no SA ends, no packet is lost")
def forward(lab):
    clock_is_set(lab, HOUR_S)


@case("the clock is set back by an hour: the same")
def back(lab):
    clock_is_set(lab, -HOUR_S)


def created(lab):
    """{SPI of each group's newest SA: when it was made, by the time of day}"""
    return {entry["spi"]: calendar.timegm(time.strptime(entry["sa-created-at"],
                                                        "%Y-%m-%dT%H:%M:%SZ"))
            for entry in lab.show("sr", "show gsa group")["group"]}


@case("the clock is set while nothing can be stored: the SAs' ages by the new time are stored when "
      "it can")
def ages_not_stored(lab):
    agree(lab)
    before = created(lab)
    not_stored, stored = "new time of day are not stored yet", "new time of day are stored"
    mark, done = marks(lab, "sr", not_stored), marks(lab, "sr", stored)
    turn_read_only(lab, "sr")
    lab.step_clock(HOUR_S)
    await_new_log(lab, "sr", mark, not_stored)
    for node in ("sr", "site2"):  # that one has had a file system of its own since full_member
        remount(lab, node, "rw")
    await_new_log(lab, "sr", done, stored)
    lab.kill("sr", "gcksd")
    lab.start("sr", "gcksd")
    agree(lab)
    after = created(lab)
    check(after.keys() == before.keys() and
          all(abs(after[spi] - before[spi] - HOUR_S) <= 2 for spi in after),
          f"SAs were made at {before}, then at {after}")


@case("an SA that is made right after the clock was set has the age that it has")
def made_after_step(lab):
    before, stepped = created(lab), "time of day was stepped by -"
    mark = marks(lab, "sr", stepped)
    lab.step_clock(-HOUR_S)
    lab.vtysh("sr", "gsa rekey group blue")
    await_new_log(lab, "sr", mark, stepped)
    agree(lab)
    made = [at for spi, at in created(lab).items() if spi not in before]
    check(len(made) == 1 and abs(made[0] - time.time()) < HOUR_S / 2,
          f"made at {made}, it is {time.time():.0f}")
    converged(lab)


if __name__ == "__main__":
    main()
