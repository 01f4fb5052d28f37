#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: credentials
#
#   site1 ──┐              ┌── site4   public-key: a raw public key
#   site2 ──┼── provider ──┤
#   site3 ──┘       │      └── site5   eap: a password, the key server's certificate
#                   sr
#
#   site1 certificate, site2 authority: certificates of two CAs; site3 psk: a pre-shared key
"""Each kind of credential registers where it is asked for, and nowhere else."""

from harness import case, check, main, wait_until
from observe import await_log

AUTHORIZATION_FAILED = 46
STEP_S = 60
SITES = {"certificate": "site1", "authority": "site2", "psk": "site3", "public-key": "site4",
         "eap": "site5"}
# as gcksd names it
KINDS = {group: group for group in SITES} | {"authority": "certificate"}


def check_registered(lab, group):
    site = SITES[group]
    wait_until(lambda: lab.member(site, group, "registered"), STEP_S,
               f"{site} is registered for {group}", diagnose=lambda: lab.members(site))
    entry = lab.registration(f"{site}.{group}.example", group)
    check(entry, f"the key server has no registration of {site}: {lab.registrations()}")
    check(entry["credential"] == KINDS[group], f"not told apart: {entry}")


def check_others_refused(lab, group):
    """The credential of this group, shown to the others, which the identity does not keep out."""
    site = SITES[group]
    for other in SITES:
        if other == group:
            continue
        member = wait_until(lambda other=other: lab.member(site, other, "refused"), STEP_S,
                            f"{site} knows that {other} refuses it",
                            diagnose=lambda: lab.members(site))
        check(member["notify"] == AUTHORIZATION_FAILED, f"{site} was told: {member}")
        identity = f"{site}.{group}.example"
        check(not lab.registration(identity, other), f"{identity} is registered for {other}")
        if KINDS[other] == "certificate" == KINDS[group]:
            await_log(lab, "sr", "gcksd", identity, "refused", f"CN={other} CA", f"CN={group} CA")
        else:
            await_log(lab, "sr", "gcksd", identity, "refused", f"group {other} needs a "
                      + KINDS[other], f"authenticated by {KINDS[group]}")
    check(lab.registered_groups(site) == {group}, f"{site} lost its own group with the others")


for name in SITES:
    def registers(lab, group=name):
        check_registered(lab, group)
        check_others_refused(lab, group)
    registers.__name__ = name.replace("-", "_")
    case(f"{name}: registers in its group, AUTHORIZATION_FAILED in all others")(registers)


@case("another kind of credential asked for: who has the old one is out, and in again with it")
def another_kind(lab):
    lab.configure("sr", "gsa group psk", "credential eap")
    member = wait_until(lambda: lab.member("site3", "psk", "refused"), STEP_S,
                        "site3 is out", diagnose=lambda: lab.members("site3"))
    check(member["notify"] == AUTHORIZATION_FAILED, f"site3 was told: {member}")
    wait_until(lambda: lab.member("site5", "psk", "registered"), STEP_S,
               "site5 is in, whose credential it is", diagnose=lambda: lab.members("site5"))
    lab.configure("sr", "gsa group psk", "credential psk")
    wait_until(lambda: lab.member("site3", "psk", "registered"), STEP_S, "site3 is in again",
               diagnose=lambda: lab.members("site3"))
    wait_until(lambda: lab.member("site5", "psk", "refused"), STEP_S, "site5 is out again",
               diagnose=lambda: lab.members("site5"))


if __name__ == "__main__":
    main()
