#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: one-ike-sa
#
#   host1 ── site1 ──┐
#                    ├── provider ── sr
#   host2 ── site2 ──┘
#
#   blue, red and green (PSK): both sites, each over one IKE_SA, that of blue.
"""Several groups over one IKE_SA come and go one by one; the last one takes the IKE_SA with it.
And how many members a group may have."""

import re

from harness import case, check, main, wait_until
from observe import check_reachability, converged

SITE, IDENTITY = "site1", "site1.blue.example"
GROUPS = {"blue", "red", "green"}
REGISTRATION_FAILED, AUTHORIZATION_FAILED = 49, 46
STEP_S = 60


def ike_sas(lab, site=SITE):
    """charon's numbers of the IKE_SAs of a site's identity at the S/R."""
    found = set()
    for event in lab.run("sr", "swanctl", "--list-sas", "--raw").splitlines():
        number = re.search(r"list-sa event \{\S+ \{uniqueid=(\d+)", event)
        if number and f"remote-id={site}.blue.example" in event:
            found.add(int(number.group(1)))
    return found


def registrations(lab, identity=IDENTITY):
    """{group: its entry} of an identity at the S/R."""
    return {entry["group"]: entry for entry in lab.registrations()
            if entry["identity"] == identity}


def await_groups(lab, groups, site=SITE):
    """Exactly these, at both ends."""
    wait_until(lambda: lab.registered_groups(site) == set(groups)
               and set(registrations(lab, f"{site}.blue.example")) == set(groups),
               STEP_S, f"{site} is registered for {sorted(groups)} alone",
               diagnose=lambda: (lab.members(site), lab.registrations()))


def check_one_ike_sa(lab, expected=None):
    numbers = ike_sas(lab)
    check(len(numbers) == 1, f"IKE_SAs of {SITE}: {numbers}")
    over = {entry["ike-sa"] for entry in registrations(lab).values()}
    check(over == numbers, f"registrations are over {over}, not over {numbers}")
    check(expected in (None, numbers), f"another IKE_SA: {numbers} instead of {expected}")
    return numbers


def check_kept(lab, before, groups):
    """The registrations of these groups are still those of before."""
    after = registrations(lab)
    for group in groups:
        check(after[group]["registered-at"] == before[group]["registered-at"],
              f"{group} was registered for again: {before[group]}, {after[group]}")


@case("three groups, one IKE_SA")
def three(lab):
    for site in ("site1", "site2"):
        await_groups(lab, GROUPS, site)
    check_one_ike_sa(lab)
    check_reachability(lab)


@case("one registration is cleared: it comes back over the IKE_SA, the others stay")
def cleared(lab):
    numbers, before = check_one_ike_sa(lab), registrations(lab)
    ended = len(lab.log_lines(SITE, "charon", "the key server ended the membership"))
    lab.vtysh("sr", f"clear gsa group red member {IDENTITY}")
    wait_until(lambda: len(lab.log_lines(
        SITE, "charon", "the key server ended the membership")) > ended, STEP_S, "red is ended")
    await_groups(lab, GROUPS)
    check_one_ike_sa(lab, numbers)
    check_kept(lab, before, GROUPS - {"red"})


@case("the IKE_SA is rekeyed: all registrations move over, and one that is cleared comes back")
def rekeyed(lab):
    numbers, before = check_one_ike_sa(lab), registrations(lab)
    lab.run(SITE, "swanctl", "--rekey", "--ike", "blue")
    wait_until(lambda: ike_sas(lab) and not ike_sas(lab) & numbers, STEP_S, "another IKE_SA",
               diagnose=lambda: ike_sas(lab))
    wait_until(lambda: {entry["ike-sa"] for entry in registrations(lab).values()} == ike_sas(lab),
               STEP_S, "the registrations are over it", diagnose=lambda: lab.registrations())
    numbers = check_one_ike_sa(lab)
    check_kept(lab, before, GROUPS)
    lab.vtysh("sr", f"clear gsa group red member {IDENTITY}")
    wait_until(lambda: registrations(lab).get("red", before["red"]) != before["red"]
               and lab.member(SITE, "red", "registered"), STEP_S, "red is back",
               diagnose=lambda: lab.registrations())
    check(registrations(lab)["red"]["credential"] == "psk", "what it had shown is forgotten")
    check_one_ike_sa(lab, numbers)


@case("denied in one group: out of it, not of the others")
def denied(lab):
    numbers, before = check_one_ike_sa(lab), registrations(lab)
    lab.configure("sr", "gsa group blue", f"deny identity {IDENTITY}")
    await_groups(lab, GROUPS - {"blue"})
    member = wait_until(lambda: lab.member(SITE, "blue", "refused"), STEP_S, "blue refuses it",
                        diagnose=lambda: lab.members(SITE))
    check(member["notify"] == AUTHORIZATION_FAILED, f"it was told {member}")
    check_one_ike_sa(lab, numbers)
    check_kept(lab, before, GROUPS - {"blue"})
    check_reachability(lab)     # through red
    lab.configure("sr", "gsa group blue", f"no deny identity {IDENTITY}")
    await_groups(lab, GROUPS)
    check_one_ike_sa(lab, numbers)


@case("the member leaves them one by one; with the last the IKE_SA goes, and comes back")
def leaves(lab):
    numbers = check_one_ike_sa(lab)
    blocks = {group: lab.declared_block(SITE, f"gsa member {group}") for group in GROUPS}
    left = set(GROUPS)
    # that of the connection's name is not the last one
    for group in ("blue", "green"):
        lab.configure(SITE, f"no gsa member {group}")
        left.remove(group)
        await_groups(lab, left)
        check_one_ike_sa(lab, numbers)
        check_reachability(lab)
    lab.configure(SITE, "no gsa member red")
    await_groups(lab, set())
    wait_until(lambda: not ike_sas(lab), STEP_S, "the IKE_SA is gone")
    for block in blocks.values():
        lab.configure(SITE, *block)
    await_groups(lab, GROUPS)
    check_one_ike_sa(lab)
    converged(lab)


@case("a limit below the members that are there keeps them, and lets no other in")
def lowered(lab):
    lab.configure("sr", "gsa group green", "maximum-members 1")
    before = registrations(lab)
    lab.vtysh("sr", "clear gsa group green member site2.blue.example")
    member = wait_until(lambda: lab.member("site2", "green", "refused"), STEP_S,
                        "green is full", diagnose=lambda: lab.members("site2"))
    check(member["notify"] == REGISTRATION_FAILED, f"site2 was told {member}")
    await_groups(lab, GROUPS)
    check_kept(lab, before, GROUPS)
    await_groups(lab, GROUPS - {"green"}, "site2")


@case("who is registered may register again in a full group; the place is free when it leaves")
def full(lab):
    refused = len(lab.log_lines("sr", "gcksd", IDENTITY, "refused", "green"))
    lab.configure("site2", "no gsa member green")
    lab.supervisor.end(SITE, "charon")
    lab.start(SITE, "charon")
    await_groups(lab, GROUPS)
    now = len(lab.log_lines("sr", "gcksd", IDENTITY, "refused", "green"))
    check(now == refused, f"{IDENTITY} was refused in its own place")
    lab.configure("site2", *lab.declared_block("site2", "gsa member green"))
    wait_until(lambda: lab.member("site2", "green", "refused"), STEP_S, "green is still full",
               diagnose=lambda: lab.members("site2"))
    lab.configure(SITE, "no gsa member green")
    await_groups(lab, GROUPS, "site2")
    lab.configure("sr", "gsa group green", "no maximum-members")
    lab.configure(SITE, *lab.declared_block(SITE, "gsa member green"))
    converged(lab)
    check_reachability(lab)


if __name__ == "__main__":
    main()
