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
"""Every kind of credential in GSA_AUTH (RFC 9838 §2.3.1), also one that takes several rounds."""

from harness import case, check, main, wait_until

KINDS = {"site1": "certificate", "site2": "authority", "site3": "psk", "site4": "public-key",
         "site5": "eap"}
STEP_S = 60


def identity(site):
    return f"{site}.{KINDS[site]}.example"


def alone(lab, site):
    """The site is in no group, and has no IKE_SA."""
    lab.configure(site, *[f"no gsa member {group}" for group in KINDS.values()
                          if lab.member(site, group)])
    wait_until(lambda: "ESTABLISHED" not in lab.run(site, "swanctl", "--list-sas"), STEP_S,
               f"{site} has no IKE_SA")
    wait_until(lambda: not lab.registration(identity(site)), STEP_S, f"{site} has left")
    return len(lab.log_lines(site, "charon", "generating"))


def open_for(lab, site, group):
    header, *lines = lab.declared_block(site, f"gsa member {group}")
    lab.configure(site, header, "initial-exchange gsa-auth", *lines)


def asked(lab, site, since):
    sent = [line.split("generating ")[1].split(" [")[0].rsplit(" ", 1)[0]
            for line in lab.log_lines(site, "charon", "generating")[since:]]
    return [name for name in sent if name in ("IKE_AUTH request", "GSA_AUTH request",
                                              "GSA_REGISTRATION request")]


@case("each kind registers in GSA_AUTH, and nowhere else; EAP does in its last round")
def each(lab):
    for site, group in KINDS.items():
        since = alone(lab, site)
        open_for(lab, site, group)
        wait_until(lambda site=site, group=group: lab.registration(identity(site))
                   and lab.member(site, group, "registered"), STEP_S, f"{site} is registered")
        found = asked(lab, site, since)
        check(set(found) == {"GSA_AUTH request"}, f"{site} sent {found}")
        check(len(found) > 1 if group == "eap" else len(found) == 1, f"{site} sent {found}")
        entry = lab.registration(identity(site))
        check(entry["group"] == group, f"registration {entry}")


@case("each kind is authenticated in GSA_AUTH, and refused for a group that wants another one")
def wrong_kind(lab):
    others = dict(zip(KINDS, [*list(KINDS.values())[1:], "certificate"]))
    for site, group in others.items():
        since = alone(lab, site)
        open_for(lab, site, group)
        state = wait_until(lambda site=site, group=group: lab.member(site, group, "refused"),
                           STEP_S, f"{site} is refused")
        check("AUTHORIZATION_FAILED" in str(state), f"{site}: {state}")
        found = asked(lab, site, since)
        check(found and found[0] == "GSA_AUTH request" and "IKE_AUTH request" not in found,
              f"{site} sent {found}")
        check(not lab.registration(identity(site)), f"{site} is registered")
        check(not [one for one in lab.states(site) if one["group"]], f"{site} holds a state")


if __name__ == "__main__":
    main()
