#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: refusals
#
#   host1 ── site1 ──┐              ┌── site3   blue: a certificate of a CA that only looks right
#                    │              ├── site4   red: another PSK
#                    ├── provider ──┼── site5   blue: an identity that is not permitted
#                    │       │      ├── site6   green: a group that the S/R does not know
#   host2 ── site2 ──┘       sr     └── site7   red, and blue with red's credential (PSK)
"""Who may not join is refused with the right notify, and the log says why."""

import re

from harness import case, check, main, wait_until
from ikev2 import Initiator
from observe import await_log, check_nothing_clear, check_reachability, converged
from topology.capture import Capture

INTRUDER = "intruder.red.example"
AUTHENTICATION_FAILED = 24
INVALID_GROUP_ID, AUTHORIZATION_FAILED, REGISTRATION_FAILED = 45, 46, 49
STEP_S = 60
FLOOD = 100
FLOOD_INTERVAL_S = 60   # between lines about the same peer


def check_refused(lab, site, group, notify, identity, *reason):
    """The member was told, the S/R's gcksd has logged who, what and why, and nothing leaked."""
    member = wait_until(lambda: lab.member(site, group, "refused"), STEP_S,
                        f"{site} knows that {group} refuses it",
                        diagnose=lambda: lab.members(site))
    check(member["notify"] == notify, f"{site} was told {member['notify']}: {member}")
    await_log(lab, "sr", "gcksd", identity, *reason)
    check(not lab.registration(identity, group), f"{identity} is registered for {group}")
    check(not [state for state in lab.states(site) if state["group"] == group],
          f"{site} has states of {group}")
    check(not [key for key in lab.group_routes(site) if key[0] == group],
          f"{site} has routes of {group}")


@case("a certificate of another CA of the same name: AUTHENTICATION_FAILED")
def wrong_certificate(lab):
    check_refused(lab, "site3", "blue", AUTHENTICATION_FAILED, "site3.blue.example",
                  "refused", "authentication")


@case("another PSK: AUTHENTICATION_FAILED")
def wrong_psk(lab):
    check_refused(lab, "site4", "red", AUTHENTICATION_FAILED, "site4.red.example",
                  "refused", "authentication")


@case("an identity that is not permitted: AUTHORIZATION_FAILED, the log names what is")
def identity(lab):
    check_refused(lab, "site5", "blue", AUTHORIZATION_FAILED, "site5.elsewhere.example",
                  "refused", "blue", "*.blue.example")


@case("an unknown group: INVALID_GROUP_ID")
def unknown_group(lab):
    check_refused(lab, "site6", "green", INVALID_GROUP_ID, "site6.green.example",
                  "refused", "green")


@case("a permitted identity with another kind of credential: AUTHORIZATION_FAILED")
def credential(lab):
    check_refused(lab, "site7", "blue", AUTHORIZATION_FAILED, "site7.red.example",
                  "refused", "blue", "certificate", "psk")
    check("red" in lab.registered_groups("site7"), "site7 lost its proper group with it")


@case("a full group: REGISTRATION_FAILED; with room the member comes by itself")
def full(lab):
    lab.configure("sr", "gsa group blue", "maximum-members 1")
    lab.vtysh("sr", "clear gsa member site2.blue.example")
    check_refused(lab, "site2", "blue", REGISTRATION_FAILED, "site2.blue.example",
                  "refused", "blue", "maximum-members")
    check(lab.registration("site1.blue.example"), "the other member is gone too")
    lab.configure("sr", "gsa group blue", "no maximum-members")
    converged(lab)


def knock(lab):
    """One IKE_SA of somebody who has no key."""
    with Initiator("site2", str(lab.topology.nodes["site2"].address),
                   str(lab.topology.key_server.address)) as peer:
        answer = peer.init().authenticate(INTRUDER, "sr.red.example", "guessed")
    check(answer.errors() == [AUTHENTICATION_FAILED], f"the intruder was told {answer.errors()}")


def of_charon(lab):
    """Messages that gcksd has received."""
    return next(daemon["received"] for daemon in lab.show("sr", "show gsa daemons")["daemon"]
                if daemon["name"] == "charon")


def counted(lab):
    """How many refusals of the intruder the lines of gcksd's log speak of."""
    return sum(1 + int((re.search(r"; (\d+) more times since", line) or [0, 0])[1])
               for line in lab.log_lines("sr", "gcksd", INTRUDER, "refused"))


@case("who fails to authenticate again and again is a message to gcksd and a line a minute, with "
      "their number")
def flood(lab):
    before = of_charon(lab)
    for _ in range(FLOOD):
        knock(lab)
    sent = of_charon(lab) - before
    check(sent < FLOOD / 2, f"{sent} messages of charon for {FLOOD} failures, and others'")
    await_log(lab, "sr", "gcksd", INTRUDER, "refused")
    knocks = FLOOD

    def once_more():
        nonlocal knocks
        knock(lab)
        knocks += 1
        return counted(lab) > FLOOD
    wait_until(once_more, FLOOD_INTERVAL_S + STEP_S, "a line has the number of all failures",
               diagnose=lambda: str(lab.log_lines("sr", "gcksd", INTRUDER, "refused")))
    check(counted(lab) <= knocks, f"the log speaks of {counted(lab)} failures, not {knocks}")


@case("the proper members do not suffer, the refused ones reach nobody and leak nothing")
def others(lab):
    with Capture(lab, "provider", "refusals") as capture:
        check_reachability(lab)
    check_nothing_clear(capture)


if __name__ == "__main__":
    main()
