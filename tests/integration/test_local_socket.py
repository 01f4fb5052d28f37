#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: two-groups
#
#   host1 ── site1 ──┐              ┌── site3 ── host3
#                    ├── provider ──┤
#   host2 ── site2 ──┘       │      └── site4 ── host4
#                            sr
#
#   blue (certificates): site1 site2 site3        red (PSK): site3 site4
"""gcksd's socket takes what comes: nothing that a client sends ends the daemon or its service.

The messages are those of proto/README.md, written here octet by octet.
"""

import collections
import os
import random
import re
import socket

from harness import case, check, main, wait_until
from local_protocol import VALUES, Gcksd, decode, encode, varint
from observe import await_log, check_reachability, converged

NODES = ("sr", "site3")
ROLE_CHARON, ROLE_BGPD, ROLE_GCKSD = 1, 2, 3
HELLO, REFUSED, REGISTRATION_REPLY, ROUTE = 1, 3, 20, 60
MAXIMUM = 65536
BLUE = 100
ID_KEY_ID, REGISTRATION_FAILED = 11, 49
TRIES = 3
STEP_S = 30


def version(lab):
    """GSA_PROTOCOL_VERSION, from the header that the daemons were built with."""
    path = os.path.join(os.environ.get("LAB_TREE", ""), "libgsa/message.h")
    with open(path, encoding="utf-8") as header:
        return int(re.search(r"GSA_PROTOCOL_VERSION\s+(\d+)", header.read()).group(1))


def integer(field, value):
    return varint(field << 3) + varint(value)


def octets(field, value):
    return varint(field << 3 | 2) + varint(len(value)) + value


def hello(number, role):
    return octets(HELLO, integer(1, number) + integer(2, role) + octets(3, b"test"))


def is_blue(fields):
    return fields["group"] == BLUE


def connect(lab, node):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.settimeout(STEP_S)
    path = os.path.join(os.environ["LAB_RUN"], node, "run/frr/gcksd.sock")
    wait_until(lambda: accepted(client, path), STEP_S, f"gcksd of {node} takes a connection")
    return client


def accepted(client, path):
    """False: its queue is full, as it has the same CPU as we have."""
    try:
        client.connect(path)
    except BlockingIOError:
        return False
    return True


def answers(client):
    """What gcksd sends until it closes: a list of (field of the body, octets)."""
    found = []
    while True:
        try:
            message = client.recv(MAXIMUM)
        except (ConnectionResetError, BrokenPipeError):
            return found
        if not message:
            return found
        found.append((message[0] >> 3, message))


def pids(lab):
    return {node: lab.supervisor.pid(node, "gcksd") for node in NODES}


def unharmed(lab, before):
    check(pids(lab) == before, f"gcksd was {before}, is {pids(lab)}")
    for node in NODES:
        check(lab.show(node, "show gsa group") is not None, f"{node} does not answer")


@case("no octets that are no message end gcksd, with or without a Hello before")
def garbage(lab):
    before = pids(lab)
    numbers = random.Random(20)
    good = hello(version(lab), ROLE_BGPD)
    shapes = [b"\0", b"\xff" * 10, good[:-1], good[:3], b"\xff" * MAXIMUM,
              octets(HELLO, b""), octets(HELLO, good * 100), octets(2, b""), octets(4000, b"x"),
              varint(HELLO << 3 | 2) + varint(1 << 40)]
    shapes += [numbers.randbytes(numbers.randrange(1, 2000)) for _ in range(100)]
    for node in NODES:
        for first in (None, good):
            for shape in shapes:
                with connect(lab, node) as client:
                    try:
                        if first:
                            client.send(first)
                        client.send(shape)
                    except BrokenPipeError:
                        pass
    unharmed(lab, before)
    converged(lab)


@case("a message over the limit is refused and ends nothing")
def too_long(lab):
    before = pids(lab)
    for node in NODES:
        with connect(lab, node) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 * MAXIMUM)
            try:
                client.send(hello(version(lab), ROLE_BGPD))
                client.send(octets(ROUTE, b"x" * (MAXIMUM + 100)))
            except (BrokenPipeError, OSError):
                pass
    unharmed(lab, before)
    converged(lab)


@case("another version and a role that no client has are refused, with the reason")
def wrong_hello(lab):
    before = pids(lab)
    number = version(lab)
    for node in NODES:
        for message in (hello(number + 1, ROLE_BGPD), hello(number, ROLE_GCKSD),
                        hello(number, 0), hello(number, 77)):
            with connect(lab, node) as client:
                client.send(message)
                found = answers(client)
                refused = [body for field, body in found if field == REFUSED]
                check(refused and len(refused[0]) > 8, f"{node}: {message!r} gets {found}")
    unharmed(lab, before)


def dropped(lab, node):
    """How many messages of bgpd gcksd has dropped."""
    return next(daemon["dropped"] for daemon in lab.show(node, "show gsa daemons")["daemon"]
                if daemon["name"] == "bgpd")


@case("a message that is not for the sender's role is dropped, the connection goes on")
def wrong_role(lab):
    before = pids(lab)
    for node in NODES:
        with connect(lab, node) as client:
            client.send(hello(version(lab), ROLE_BGPD))
            client.recv(MAXIMUM)
            mark = dropped(lab, node)
            for number in range(1, 4):
                client.send(octets(REGISTRATION_REPLY, integer(1, 1)))
                wait_until(lambda node=node, mark=mark, number=number:
                           dropped(lab, node) == mark + number, STEP_S,
                           f"gcksd of {node} drops message {number}",
                           diagnose=lambda node=node: lab.show(node, "show gsa daemons"))
        check(lab.log_lines(node, "gcksd", "dropped a message of bgpd"), f"no log line on {node}")
    unharmed(lab, before)
    converged(lab)


@case("another user gets nothing from the socket, whatever it claims to be")
def other_user(lab):
    before = pids(lab)
    for node in NODES:
        for role in (ROLE_BGPD, ROLE_CHARON):
            found = as_nobody(lambda node=node, role=role: claim(lab, node, role))
            check(found in ("no access", "refused"), f"{node}: nobody as role {role}: {found}")
    unharmed(lab, before)


def claim(lab, node, role):
    try:
        client = connect(lab, node)
    except PermissionError:
        return "no access"
    with client:
        try:
            client.send(hello(version(lab), role))
            found = answers(client)
        except BrokenPipeError:
            return "refused"
        return "refused" if not found or found[0][0] == REFUSED else f"got {found}"


def as_nobody(function):
    """The function's text, from a process of another user."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os.write(writer, function().encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return text


@case("bgpd tells the prefixes of a group that was gone for a moment once more: gcksd forgot them")
def group_again(lab):
    # what the site's own gcksd has asked charon for at its start crosses what bgpd tells, or not
    for _ in range(5):
        lose_groups(lab)
        converged(lab)


def lose_groups(lab):
    gateway = lab.topology.nodes["site3"].address.packed
    gcksd = Gcksd(lab, "site3", ROLE_BGPD)
    try:
        gcksd.accept()
        gcksd.await_message("export", is_blue)
        gcksd.drain()
        before = len(gcksd.received)
        gcksd.sync_done()  # of no group
        gcksd.send("group", identifier=BLUE, name="blue", joined=True, local_gateway=gateway,
                   export_mode=1, registered=True)
        gcksd.await_message("export", lambda fields: is_blue(fields) and not fields["withdrawn"],
                            after=before)
    finally:
        gcksd.close()
        lab.start("site3", "gcksd")


def routes(lab, site):
    return [route["prefix"] for route in lab.member(site, "blue").get("route", [])]


@case("a group's identifier is configured anew, and again, while charon is away: the routes of the "
      "one before are forgotten")
def identifiers(lab):
    site, prefix, gateway = "site1", {"address": bytes([10, 9, 9, 0]), "length": 24}, [198, 18, 9, 2]
    for daemon in ("charon", "bgpd"):
        lab.kill(site, daemon)
    with connect(lab, site) as client:
        client.send(hello(version(lab), ROLE_BGPD))
        for identifier in (700, 800):
            lab.configure(site, "gsa member blue", f"identifier {identifier}")
            wait_until(lambda: not routes(lab, site), STEP_S, "no route of another identifier",
                       diagnose=lambda: routes(lab, site))
            client.send(encode("Message", {"route": {
                "group": identifier, "prefix": prefix, "gateway": bytes(gateway)}}))
            wait_until(lambda: routes(lab, site) == ["10.9.9.0/24"], STEP_S, "gcksd has the route",
                       diagnose=lambda: routes(lab, site))
    lab.configure(site, "gsa member blue", "no identifier")
    for daemon in ("charon", "bgpd"):
        lab.start(site, daemon)
    converged(lab)


def refuse_states(client):
    """What the kernel of the test answers, until one thing was asked for `TRIES` times. How often."""
    asked = collections.Counter()
    while max(asked.values(), default=0) < TRIES:
        data = client.recv(MAXIMUM)
        check(data, "gcksd has closed the connection")
        message = decode("Message", data)
        install = message["install_policy"] or message["install_sa"]
        if install:
            asked[str({**install, "id": 0, "lifetime_s": 0})] += 1
            client.send(encode("Message", {"installed": {"id": install["id"],
                                                         "text": "the test says so"}}))
    return asked.total()


@case("a kernel that takes nothing is a line a minute in the log, whatever is asked for, and how often")
def kernel_refuses(lab):
    site = "site1"
    lab.kill(site, "charon")
    with connect(lab, site) as client:
        client.send(hello(version(lab), ROLE_CHARON))
        client.send(encode("Message", {"sync_done": {}}))
        answers = refuse_states(client)
    lab.start(site, "charon")
    check(answers > TRIES, f"only {answers} answers")
    lines = await_log(lab, site, "gcksd", "could not be installed", "the test says so")
    check(len(lines) == 1, f"{answers} answers are {len(lines)} lines: {lines}")
    converged(lab)


def ask(lab, client, number):
    """The answer's notify to site4's request for red."""
    peer = {"identity": "site4.red.example", "ike_sa": 1000,
            "credential": VALUES["CREDENTIAL_PSK"],
            "address": lab.topology.nodes["site4"].address.packed}
    client.send(encode("Message", {"registration_request": {
        "request": number, "peer": peer, "group_id_type": ID_KEY_ID, "group_id": b"red",
        "sender": True}}))
    while True:
        data = client.recv(MAXIMUM)
        check(data, "gcksd has closed the connection")
        reply = decode("Message", data)["registration_reply"]
        if reply and reply["request"] == number:
            return reply["notify"]


@case("nobody is registered before charon has repeated what it holds: that may tell of an older store")
def before_sync_done(lab):
    lab.kill("sr", "charon")
    with connect(lab, "sr") as client:
        client.send(hello(version(lab), ROLE_CHARON))
        found = [ask(lab, client, 1)]
        client.send(encode("Message", {"sync_done": {}}))
        found.append(ask(lab, client, 2))
    lab.start("sr", "charon")
    check(found == [REGISTRATION_FAILED, 0], f"notifies {found} before and after SyncDone")
    converged(lab)


@case("all of it left the groups as they were")
def afterwards(lab):
    converged(lab)
    check_reachability(lab)


if __name__ == "__main__":
    main()
