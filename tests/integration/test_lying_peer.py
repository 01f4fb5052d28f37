#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: rekey
#
#   host1 ── site1 ──┐              ┌── site3 ── host3
#                    ├── provider ──┤
#   host2 ── site2 ──┘       │      └── site4 ── host4
#                            sr
#
#   blue (pairwise): site1 site2 site3        red (one SA for all): site3 site4
"""Sender-IDs that somebody else has: a member that announces another's neither takes its traffic over
nor breaks it, at the key server or behind one that lets the lie pass; and a store that is older than
what members know, with its anchor, gives none of theirs again."""

import contextlib
import socket
import struct
import time

import gikev2
from harness import case, check, main, wait_until
from ikev2 import notify
from local_protocol import ROLE_BGPD, VALUES, Gcksd
from observe import await_log, check_nothing_clear, check_reachability, converged, still_answering
from pairs import address, sender_id
from pymember import PythonMember, admit
from rekeying import check_no_loss, current_spi, group_states, registrations, rekey_through
from topology import ping
from topology.capture import Capture

STEP_S = 60
BLUE = 100
LIAR, VICTIM, OBSERVER = "site2", "site1", "site3"
STORE = "/var/lib/frr"
BLOCK = 64      # of Sender-IDs that the key server reserves at a time
LOGGED_EVERY_S = 60
AT_ONCE = 8     # that it gives for one request


@contextlib.contextmanager
def bgpd_of(lab, node, tell):
    """The node's bgpd with a gcksd of the test's own, which `tell` has speak."""
    standin = Gcksd(lab, node, ROLE_BGPD)
    try:
        standin.accept()
        tell(standin)
        standin.sync_done()
        yield standin
    finally:
        standin.close()
        lab.start(node, "gcksd")


def octets(lab, node):
    return socket.inet_aton(address(lab, node))


def joined(lab, node, number):
    """What its gcksd would say of blue, but for the Sender-ID."""
    return {"identifier": BLUE, "name": "blue", "joined": True, "registered": True,
            "local_gateway": octets(lab, node), "key_server": octets(lab, "sr"),
            "export_mode": VALUES["EXPORT_CONNECTED"], "has_sender_id": True, "sender_id": number}


def group_routes(lab, node, **fields):
    return [route for route in lab.show(node, "show bgp gsa routes")["route"]
            if all(route.get(key) == value for key, value in fields.items())]


def liars_routes(lab, node):
    return group_routes(lab, node, gateway=address(lab, LIAR))


def sender_ids_of(route):
    return {entry["sender-id"] for entry in route.get("sender-id", [])}


def states_with(lab, node, peer):
    return {(state["source"], state["destination"], state["spi"], state["keys"])
            for state in group_states(lab, node, "blue")
            if address(lab, peer) in (state["source"], state["destination"])}


@contextlib.contextmanager
def undisturbed(lab, name):
    """Not a packet between the honest ones is lost, and their states stay."""
    flows = [lab.flow("host1", "host3"), lab.flow("host3", "host1")]
    before = states_with(lab, OBSERVER, VICTIM)
    check(before, f"{OBSERVER} has no states with {VICTIM}")
    with Capture(lab, "provider", name) as capture, ping.Traffic(flows) as traffic:
        wait_until(lambda: all(still_answering(flow) for flow in flows), STEP_S, "traffic flows")
        start = time.monotonic()
        yield
        end = time.monotonic()
        wait_until(lambda: all(still_answering(flow) for flow in flows), STEP_S, "traffic flows")
        traffic.stop()
    check_no_loss(flows, start, end)
    check_nothing_clear(capture)
    check(states_with(lab, OBSERVER, VICTIM) == before, f"{OBSERVER}: other states with {VICTIM}")


def told_once(lab, liar, stolen):
    """The liar goes to and fro between two lies: the S/R's log has each of them once a minute."""
    lies = ("the route carries no Sender-ID", "Sender-ID is not one that the member was given")
    start = time.monotonic()
    for has_sender_id in (False, True, False, True):
        liar.send("group", **{**joined(lab, LIAR, stolen), "has_sender_id": has_sender_id})
        wait_until(lambda lie=lies[has_sender_id]: all(
            lie in route.get("reason", "") for route in liars_routes(lab, "sr")), STEP_S,
            "the other lie has come to the S/R", diagnose=lambda: liars_routes(lab, "sr"))
    most = 1 + int(time.monotonic() - start) // LOGGED_EVERY_S
    for lie in lies:
        lines = lab.log_lines("sr", "bgpd", f"({LIAR}) is not used", lie)
        check(1 <= len(lines) <= most, lambda lines=lines: "\n".join(lines) or f"no line: {lie}")


@case("a member announces another's Sender-ID: the key server does not use its route, all else goes on")
def refused_by_key_server(lab):
    stolen, own = sender_id(lab, VICTIM), sender_id(lab, LIAR)
    with bgpd_of(lab, LIAR, lambda liar: liar.send("group", **joined(lab, LIAR, own))) as liar, \
            undisturbed(lab, "liar"):
        liar.send("group", **joined(lab, LIAR, stolen))
        wait_until(lambda: (routes := liars_routes(lab, "sr")) and
                   all(sender_ids_of(route) == {stolen} and not route["selected"]
                       for route in routes), STEP_S,
                   "the lie has come to the S/R, and is not used",
                   diagnose=lambda: liars_routes(lab, "sr"))
        for route in liars_routes(lab, "sr"):
            check(not route["eligible"] and "Sender-ID" in route["reason"], f"{route}")
        told_once(lab, liar, stolen)
        wait_until(lambda: not liars_routes(lab, OBSERVER), STEP_S,
                   "nobody else has the liar's routes", diagnose=lambda: liars_routes(lab, OBSERVER))
        honest = group_routes(lab, "sr", gateway=address(lab, VICTIM))
        check(honest and all(route["selected"] and sender_ids_of(route) == {stolen}
                             for route in honest), f"{honest}")
    converged(lab)
    check_reachability(lab)


def let_everything_pass(lab, standin):
    """A key server that does not look: to its bgpd any of these Sender-IDs is anybody's."""
    standin.send("group", identifier=BLUE, name="blue", served=True)
    for site in ("site1", "site2", "site3"):
        standin.send("member", group=BLUE, identity=f"{site}.blue.example",
                     gateway=octets(lab, site), sender_id=list(range(64)))


@case("the same behind a key server that lets it pass: members do not believe it, and say so")
def refused_by_members(lab):
    stolen, own = sender_id(lab, VICTIM), sender_id(lab, LIAR)
    before = states_with(lab, OBSERVER, LIAR)
    with bgpd_of(lab, "sr", lambda server: let_everything_pass(lab, server)), \
            bgpd_of(lab, LIAR, lambda liar: liar.send("group", **joined(lab, LIAR, own))) as liar, \
            undisturbed(lab, "passed"):
        liar.send("group", **joined(lab, LIAR, stolen))
        wait_until(lambda: any(sender_ids_of(route) == {stolen}
                               for route in liars_routes(lab, OBSERVER)), STEP_S,
                   f"the lie has come to {OBSERVER}", diagnose=lambda: liars_routes(lab, OBSERVER))
        await_log(lab, OBSERVER, "gcksd", address(lab, LIAR), f"claims Sender-ID {stolen}",
                  address(lab, VICTIM))
        wait_until(lambda: not any(route["ready"] for route in liars_routes(lab, OBSERVER)), STEP_S,
                   "the liar's routes are not used", diagnose=lambda: liars_routes(lab, OBSERVER))
        new = {state for state in states_with(lab, OBSERVER, LIAR) if state[2] & 0xffff == stolen}
        check(not new, f"{OBSERVER} has states of the liar under the stolen Sender-ID")
        # with the victim itself, whose own it is
        await_log(lab, VICTIM, "gcksd", address(lab, LIAR), f"claims Sender-ID {stolen}",
                  "our own")
    converged(lab)
    check(before and states_with(lab, OBSERVER, LIAR), f"{LIAR} is not back")
    check_reachability(lab)


@case("a member that goes back and forth between Sender-IDs of its own: others take new ones rarely")
def back_and_forth(lab):
    """What was made for the one before must not be made again, so a new one of theirs is needed."""
    # registered twice, it has two
    lab.kill(LIAR, "charon")
    lab.start(LIAR, "charon")
    given = wait_until(lambda: len(numbers := lab.registration(f"{LIAR}.blue.example")
                                   .get("sender-id", [])) > 1 and numbers, STEP_S,
                       f"{LIAR} has two Sender-IDs", diagnose=lambda: registrations(lab, "blue"))
    converged(lab)
    before = len(lab.log_lines(OBSERVER, "gcksd", "blue", "registering again"))
    with bgpd_of(lab, LIAR, lambda liar: liar.send("group", **joined(lab, LIAR, given[-1]))) as liar:
        end, turn = time.monotonic() + 45, 0
        while time.monotonic() < end:
            number, turn = given[turn % 2], turn + 1
            liar.send("group", **joined(lab, LIAR, number))
            wait_until(lambda number=number: any(sender_ids_of(route) == {number}
                                                 for route in liars_routes(lab, OBSERVER)), STEP_S,
                       "the route has changed")
            time.sleep(0.5)
        check(turn > 20, f"{turn} changes in 45 s")
    times = len(lab.log_lines(OBSERVER, "gcksd", "blue", "registering again")) - before
    print(f"# {turn} changes, {OBSERVER} has registered {times} times", flush=True)
    check(1 <= times <= 3, f"{OBSERVER} has registered {times} times in 45 s")
    converged(lab)
    check_reachability(lab)


# the store

def take_copy(lab):
    """With its anchor, so that it alone does not tell."""
    lab.kill("sr", "gcksd")
    lab.run("sr", "sh", "-ec", f"rm -rf /run/copy; cp -a {STORE} /run/copy")
    lab.start("sr", "gcksd")
    wait_until(lambda: all(daemon["state"] == "up"
                           for daemon in lab.show("sr", "show gsa daemons")["daemon"]), STEP_S,
               "charon and bgpd have told all", diagnose=lambda: lab.show("sr", "show gsa daemons"))
    check(len(registrations(lab, "blue")) == 3, f"{registrations(lab, 'blue')}")


def put_back(lab):
    lab.kill("sr", "gcksd")
    lab.run("sr", "sh", "-ec", f"rm -f {STORE}/gcksd.db*; cp -a /run/copy/gcksd.db* {STORE}/")
    lab.start("sr", "gcksd")


def begins_anew(lab, before, spi):
    """The group has another SA, everybody has registered again."""
    wait_until(lambda: len(lab.log_lines("sr", "gcksd", "blue", "begins anew")) > before, STEP_S,
               "the log says so", diagnose=lambda: lab.supervisor.tail("sr", "frr/gcksd.log", 10))
    converged(lab)
    check(current_spi(lab, "blue") != spi, "blue has the same SA")
    for site in ("site1", "site2", "site3"):
        found = {state["spi"] & ~0xffff for state in group_states(lab, site, "blue")}
        check(spi not in found, f"{site} has states of the old SA")
    check_reachability(lab)


def anew_lines(lab):
    return len(lab.log_lines("sr", "gcksd", "blue", "begins anew"))


@case("an older copy of the store with its anchor: members know a newer SA, the group begins anew")
def newer_sa(lab):
    converged(lab)
    take_copy(lab)
    rekey_through(lab, "blue")
    before, spi = anew_lines(lab), current_spi(lab, "blue")
    put_back(lab)
    begins_anew(lab, before, spi)


@case("so it does for Sender-IDs of a member that the copy does not know at all")
def newer_sender_ids(lab):
    converged(lab)
    identity = "probe.blue.example"
    secret = admit(lab, "blue", [identity])
    take_copy(lab)
    before, spi = anew_lines(lab), current_spi(lab, "blue")
    with PythonMember(lab, "site4", "blue", identity, secret) as probe:
        for _ in range(BLOCK // AT_ONCE + 2):
            probe.register(notify(gikev2.GROUP_SENDER, struct.pack(">I", AT_ONCE)),
                           sender=False)
        check(max(probe.sender_ids) >= 2 * BLOCK, f"{probe.sender_ids}")
        put_back(lab)
        begins_anew(lab, before, spi)


if __name__ == "__main__":
    main()
