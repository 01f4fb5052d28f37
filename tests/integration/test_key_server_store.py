#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: same-ike-sa
#
#   host1 ── site1 ──┐
#                    ├── provider ── sr     the store of sr: its disk is full, its clock is stepped,
#   host2 ── site2 ──┘                      an older copy of it is put back
"""What goes wrong with the key server's store is named in the log, and nothing is lost."""

from harness import case, check, main, wait_until
from observe import await_log, check_reachability, converged

GROUP = "red"
STORE = "/var/lib/frr"
STEP_S = 60
HOUR_S = 3600
SLACK_S = 90      # of a loaded machine


def group(lab):
    return lab.show("sr", f"show gsa group {GROUP}")["group"][0]


def generation(lab):
    return group(lab).get("generation", 0)


def settled(lab, than=0):
    """A newer generation than `than` is told to everybody."""
    entry = group(lab)
    return entry.get("generation", 0) > than and entry["rekey-state"] in ("settling", "idle") and \
        entry["registered-members"] == 2 and entry["stale-members"] == 0


def rekey(lab):
    before = generation(lab)
    lab.vtysh("sr", f"gsa rekey group {GROUP}")
    wait_until(lambda: settled(lab, before), STEP_S, "a newer SA is told to both members",
               diagnose=lambda: str(group(lab)))
    entry = group(lab)
    check((entry["rekey-acknowledged"], entry["rekey-members"], entry["rekey-reason"])
          == (2, 2, "operator"), f"the rekey came to {entry}")
    for registration in lab.registrations():
        check(registration["generation"] == entry["generation"],
              f"{registration['identity']} holds {registration}")


def restart(lab, between=lambda: None):
    lab.kill("sr", "gcksd")
    between()
    lab.start("sr", "gcksd")
    wait_until(lambda: len(lab.registrations()) == 2 and
               all(not entry.get("stale") for entry in lab.registrations()), STEP_S,
               "both members are registered", diagnose=lambda: str(lab.registrations()))


def shell(lab, command):
    return lab.run("sr", "sh", "-ec", command)


@case("an operator's rekey is told to both members and acknowledged")
def by_hand(lab):
    lab.configure("sr", f"gsa group {GROUP}", "activation-delay 1", "deactivation-delay 2")
    rekey(lab)
    check_reachability(lab)


@case("a restart of gcksd makes no new SA and forgets nobody")
def restarted(lab):
    before = group(lab)
    restart(lab)
    after = group(lab)
    check((after["spi"], after["generation"]) == (before["spi"], before["generation"]),
          f"before {before}, after {after}")
    check(0 <= before["lifetime-left"] - after["lifetime-left"] < SLACK_S,
          f"lifetime left: before {before['lifetime-left']}, after {after['lifetime-left']}")
    check_reachability(lab)


@case("the clock is stepped by an hour, forward and back: named, and nothing ends or lives longer")
def clock(lab):
    for hours in (1, -1):
        before, wall = group(lab), int(lab.run("sr", "date", "+%s"))
        lab.run("sr", "date", "-s", f"@{wall + hours * HOUR_S}")
        lines = await_log(lab, "sr", "gcksd", f"time of day was stepped by {'+' if hours > 0 else '-'}")
        # `date` takes its time: a second less
        check(any(f"by {hours * HOUR_S - less:+d} s" in line for line in lines
                  for less in (0, 1)), str(lines))
        for restarts in (False, True):
            if restarts:
                restart(lab)
            after = group(lab)
            check(after["spi"] == before["spi"], f"before {before}, after {after}")
            check(0 <= before["lifetime-left"] - after["lifetime-left"] < SLACK_S,
                  f"lifetime left: before {before['lifetime-left']}, after "
                  f"{after['lifetime-left']}")
            check(len(lab.registrations()) == 2, str(lab.registrations()))
    check_reachability(lab)


@case("the disk is full: the rekey waits, the log says why, and it comes when there is space")
def disk_full(lab):
    def small_disk():
        shell(lab, f"cp -a {STORE} /run/saved && mount -t tmpfs -o size=400k tmpfs {STORE} && "
                   f"cp -a /run/saved/. {STORE}/")
    restart(lab, small_disk)
    before = group(lab)
    shell(lab, f"dd if=/dev/zero of={STORE}/fill bs=4096 2>/dev/null || :")
    lab.vtysh("sr", f"gsa rekey group {GROUP}")
    await_log(lab, "sr", "gcksd", "is put off", "not stored", "file system")
    after = group(lab)
    check((after["spi"], after["rekey-state"]) == (before["spi"], "waiting"), f"{after}")
    check(len(lab.registrations()) == 2, str(lab.registrations()))
    check_reachability(lab)
    shell(lab, f"rm {STORE}/fill")
    wait_until(lambda: settled(lab, before["generation"]), STEP_S, "the rekey comes",
               diagnose=lambda: str(group(lab)))
    spi = group(lab)["spi"]
    restart(lab)
    check(group(lab)["spi"] == spi, f"after a restart: {group(lab)}")
    check_reachability(lab)


@case("an older copy of the store is known as such: new SAs, everybody registers again")
def older_copy(lab):
    restart(lab, lambda: shell(lab, f"rm -rf /run/copy; cp -a {STORE} /run/copy"))
    rekey(lab)
    before = group(lab)
    lab.kill("sr", "gcksd")
    # without the anchor, as who restores a backup is told
    shell(lab, f"rm -f /run/copy/gcksd.db.anchor {STORE}/gcksd.db-wal; "
               f"cp -a /run/copy/gcksd.db* {STORE}/")
    lab.start("sr", "gcksd")
    await_log(lab, "sr", "gcksd", "older copy", "begins anew")
    converged(lab)
    wait_until(lambda: settled(lab), STEP_S, "both have registered again",
               diagnose=lambda: str(group(lab)))
    check(group(lab)["spi"] != before["spi"], f"before {before}, after {group(lab)}")
    check_reachability(lab)


if __name__ == "__main__":
    main()
