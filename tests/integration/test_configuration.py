#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: configuration
#
#   site ── provider ── sr        blue: site; empty: nobody
"""Every line about groups: taken, shown, written, taken back; what is wrong is refused with
what is allowed, and changes nothing."""

import json
import os
import re
import socket
import subprocess

from harness import Failed, case, check, main, wait_until
from observe import await_log
from topology import namespaces, vty

GROUP = """\
gsa group full
 identifier 300
 credential certificate ca "C=DE, O=Blue, CN=Blue CA"
 permit identity *.blue.example
 permit identity hub.example
 deny identity lost.blue.example
 sharing pairwise
 cipher chacha20poly1305
 activation-delay 1
 deactivation-delay 2
 lifetime data 10
 sender-id-bits 8
 rekey on-join
 rekey on-leave
 rekey in-flight 10
 rekey missed-maximum 0
 maximum-members 5
 registration-hold-time 60
exit
""".splitlines()
MEMBER = """\
gsa member full
 key-server connection first
 key-server connection second
 local-gateway 198.18.0.2
 identifier 300
 protect 10.0.0.0/8
 protect 192.168.0.0/16
 export prefix-list FULL
 retry-time 20
 mode receive-only
 initial-exchange gsa-auth
exit
""".splitlines()

# (line, JSON leaf of show, its value, its value after `no`)
GROUP_LINES = (
    ("sharing group", "sharing", "group", "pairwise"),
    ("cipher aes128cbc-sha256", "cipher", "aes128cbc-sha256", "aes256gcm16"),
    ("activation-delay 300", "activation-delay", 300, 5),
    ("deactivation-delay 600", "deactivation-delay", 600, 10),
    ("lifetime data 86400", "lifetime-data", 86400, 3600),
    ("rekey on-join", "rekey-on-join", True, False),
    ("rekey on-leave", "rekey-on-leave", True, False),
    ("rekey in-flight 1000", "rekey-in-flight", 1000, 64),
    ("rekey missed-maximum 0", "rekey-missed-maximum", 0, 3),
    ("maximum-members 7", "maximum-members", 7, None),
    ("registration-hold-time 10", "registration-hold-time", 10, 300),
)
MEMBER_LINES = (
    ("key-server connection hq", "connection", ["hq"], None),
    ("mode passive", "mode", "passive", "fail-closed"),
    ("mode receive-only", "mode", "receive-only", "fail-closed"),
    ("initial-exchange gsa-auth", "initial-exchange", "gsa-auth", "ike-auth"),
    ("local-gateway 198.18.0.2", "local-gateway", "198.18.0.2", None),
    ("protect 10.0.0.0/8", "protect", ["10.0.0.0/8"], None),
    ("export connected", "export", "connected", "none"),
)

NEED_THEIR_VALUE = ("rekey", "protect")     # after `no`

COUNTER_MODE = ("cannot be used with sharing group", "nonce", "aes256cbc-sha256, aes128cbc-sha256")
TOO_SHORT = ("lifetime data {}", "more than twice", "activation-delay {}", "deactivation-delay {}",
             "lifetime data {} and more")


def too_short(lifetime, activation, deactivation, least):
    return [word.format(value) for word, value in
            zip(TOO_SHORT, (lifetime, None, activation, deactivation, least))]


# (lines, words of the answer to the last of them); in a block that was empty before
BAD_GROUP = (
    (["sharing group", "cipher aes256gcm16"], ("cipher aes256gcm16", *COUNTER_MODE)),
    (["sharing group", "cipher chacha20poly1305"], ("cipher chacha20poly1305", *COUNTER_MODE)),
    (["cipher aes128gcm16", "sharing group"],
     ("cipher aes128gcm16", *COUNTER_MODE)),
    (["cipher aes256ctr"], ("aes256ctr is not supported", "aes256gcm16", "aes256cbc-sha256")),
    (["sharing star"], ("sharing star is not supported", "group, pairwise")),
    (["lifetime data 30"], too_short(30, 5, 10, 31)),
    (["lifetime data 31", "activation-delay 6"], too_short(31, 6, 10, 33)),
    (["activation-delay 0", "lifetime data 21", "no activation-delay"], too_short(21, 5, 10, 31)),
    (["lifetime data 9"], ("lifetime data 9",)),
    (["lifetime data 86401"], ("lifetime data 86401",)),
    (["activation-delay 301"], ("activation-delay 301",)),
    (["deactivation-delay 601"], ("deactivation-delay 601",)),
    (["sender-id-bits 9"], ("sender-id-bits 9",)),
    (["rekey in-flight 0"], ("rekey in-flight 0",)),
    (["rekey missed-maximum 101"], ("rekey missed-maximum 101",)),
    (["identifier 100"], ("identifier 100 is that of group blue",)),
    (["credential certificate ca \"a'b\""], ("not an identity",)),
)
BAD_MEMBER = (
    ([f"key-server connection {number}" for number in range(9)],
     ("key-server connection 8", "allowed: 8")),
    (["no key-server connection hq"], ("hq is not configured",)),
    (["mode open"], ("mode open",)),
    (["initial-exchange psk"], ("initial-exchange psk",)),
    (["protect 198.18.0.0/16", "local-gateway 198.18.0.2"],
     ("local-gateway 198.18.0.2", "protect 198.18.0.0/16")),
    (["protect 10.0.0.1/8"], ("10.0.0.1/8", "10.0.0.0/8")),
)


def running(lab, header=""):
    """The written configuration of groups, or of one block."""
    blocks, inside = [], False
    path = lab.supervisor.socket_of("sr", "gcksd")
    for line in vty.command(path, "show running-config").splitlines():
        if line.startswith("gsa "):
            inside = line == header or not header
        if inside:
            blocks.append(line)
        inside = inside and line != "exit"
    return blocks


def shown(lab, kind, name="full"):
    key = "name" if kind == "group" else "group"
    for entry in lab.show("sr", f"show gsa {kind}")[kind]:
        if entry[key] == name:
            return entry
    raise Failed(f"show gsa {kind} knows no {name}")


def typed(lab, *lines):
    """What gcksd answers; nothing is wrong with silence."""
    return answers(lab.supervisor.socket_of("sr", "gcksd"), "configure terminal", *lines)[1]


def answers(path, *lines):
    """Of one session, up to the first line that fails: (its status or 0, all text)."""
    text = ""
    with socket.socket(socket.AF_UNIX) as session:
        session.settimeout(30)
        session.connect(path)
        for line in ("enable", *lines):
            status, answer = vty.exchange(session, line)
            text += answer
            if status != 0:
                return status, text.strip()
    return 0, text.strip()


def configure(lab, *lines):
    answer = typed(lab, *lines)
    check(not answer, f"{lines}: {answer}")


def from_file(lab, *lines):
    """The same as one batch: vtysh -f."""
    path = os.path.join(os.environ["LAB_RUN"], "sr/run/lines.conf")
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
    return lab.run("sr", "sh", "-c", f"{lab.programs.vtysh} -f /run/lines.conf 2>&1", check=False)


@case("each line is shown, and taken back by its no form")
def each_line(lab):
    for kind, lines in (("group", GROUP_LINES), ("member", MEMBER_LINES)):
        header = f"gsa {kind} full"
        for line, leaf, value, default in lines:
            configure(lab, header, line)
            found = shown(lab, kind).get(leaf)
            check(found == value, f"{line}: {leaf} is {found}")
            check(f" {line}" in running(lab, header), f"{line} is not written")
            bare = line.rpartition(" ")[0]
            for undo in {line, line if bare in NEED_THEIR_VALUE else bare}:
                configure(lab, header, line, f"no {undo}")
                found = shown(lab, kind).get(leaf)
                check(found == default, f"no {undo}: {leaf} is {found}")
                check(f" {line}" not in running(lab, header), f"{line} is still written")
        configure(lab, f"no {header}")
        check(not running(lab, header), f"{header} is still there")


@case("Sender-ID bits count with pairwise; the cipher follows the sharing until it is given")
def pairwise(lab):
    header = "gsa group full"
    configure(lab, header, "sharing pairwise")
    entry = shown(lab, "group")
    check((entry["cipher"], entry["sender-id-bits"]) == ("aes256gcm16", 16), f"{entry}")
    for bits in (8, 12, 16):
        configure(lab, header, f"sender-id-bits {bits}")
        check(shown(lab, "group")["sender-id-bits"] == bits, f"not {bits}: {shown(lab, 'group')}")
    for cipher in ("aes128gcm16", "chacha20poly1305", "aes256gcm16", "aes128cbc-sha256"):
        configure(lab, header, f"cipher {cipher}")
        check(shown(lab, "group")["cipher"] == cipher, f"not {cipher}: {shown(lab, 'group')}")
    configure(lab, header, "no cipher", "sharing group")
    check(shown(lab, "group")["cipher"] == "aes256cbc-sha256", f"{shown(lab, 'group')}")
    configure(lab, f"no {header}")


@case("what is wrong is answered with field, value and what is allowed, and changes nothing")
def bad_lines(lab):
    for header, entries in (("gsa group bad", BAD_GROUP), ("gsa member bad", BAD_MEMBER)):
        for lines, words in entries:
            check(not typed(lab, header, *lines[:-1]), f"{lines[:-1]} is refused")
            before = running(lab)
            answer = typed(lab, header, lines[-1])
            missing = [word for word in words if word not in answer]
            check(answer and not missing, f"{lines}: the answer has no {missing}: '{answer}'")
            check(running(lab) == before, f"{lines} has changed something")
            configure(lab, f"no {header}")


@case("in a file, too, and the lines beside it count")
def bad_file(lab):
    answer = from_file(lab, "gsa group bad", " identifier 400", " sharing group",
                       " cipher aes128gcm16",
                       " rekey on-join", "exit", "gsa group good", " identifier 401", "exit")
    check(all(word in answer for word in ("line 4", *COUNTER_MODE)), f"the answer is {answer}")
    check(running(lab, "gsa group bad") == ["gsa group bad", " identifier 400", " sharing group",
                                            " rekey on-join", "exit"],
          f"written: {running(lab, 'gsa group bad')}")
    check(running(lab, "gsa group good"), "the block behind it is lost")
    lab.configure("sr", "no gsa group bad", "no gsa group good")


@case("key servers keep the order of their lines, also when a file changes it")
def order(lab):
    header = "gsa member full"
    lab.configure("sr", header, *[f"key-server connection {name}" for name in "abc"])
    answer = from_file(lab, header, " no key-server connection a", " key-server connection d",
                       " key-server connection a", "exit")
    check("%" not in answer, f"refused: {answer}")
    check(shown(lab, "member")["connection"] == list("bcda"), f"{shown(lab, 'member')}")
    lab.configure("sr", header, "no key-server connection c")
    check([line[-1] for line in running(lab, header) if "key-server" in line] == list("bda"),
          f"written: {running(lab, header)}")
    lab.configure("sr", header, "no key-server")
    check("connection" not in shown(lab, "member"), f"{shown(lab, 'member')}")
    lab.configure("sr", f"no {header}")


@case("vtysh -b: the whole set comes back after a restart as it was written")
def whole_set(lab):
    path = os.path.join(os.environ["LAB_RUN"], "sr/etc/frr/frr.conf")
    with open(path, encoding="ascii") as file:
        declared = file.read()
    with open(path, "a", encoding="ascii") as file:
        file.write("\n".join(["!"] + GROUP + ["!"] + MEMBER + ["!"]) + "\n")
    try:
        lab.supervisor.end("sr", "gcksd")
        lab.start("sr", "gcksd")
        for block in (GROUP, MEMBER):
            check(running(lab, block[0]) == block, f"written: {running(lab, block[0])}")
        entry = shown(lab, "group")
        for leaf, value in (("lifetime-data", 10), ("activation-delay", 1), ("sender-id-bits", 8),
                            ("rekey-on-join", True), ("cipher", "chacha20poly1305")):
            check(entry[leaf] == value, f"{leaf} of {entry}")
        entry = shown(lab, "member")
        check(entry["connection"] == ["first", "second"] and entry["mode"] == "receive-only"
              and entry["initial-exchange"] == "gsa-auth", f"{entry}")
    finally:
        with open(path, "w", encoding="ascii") as file:
            file.write(declared)
    lab.configure("sr", f"no {GROUP[0]}", f"no {MEMBER[0]}")


@case("help and completion: each value of sharing and cipher, each name of a group")
def completion(lab):
    for block, line, words in (
            ("gsa group blue", "cipher ?", ("aes128gcm16", "chacha20poly1305", "pairwise")),
            ("gsa group blue", "sharing ?", ("group", "pairwise")),
            ("gsa group blue", "rekey ?", ("in-flight", "missed-maximum", "on-join", "on-leave")),
            ("gsa group blue", "lifetime data ?", ("(10-86400)", "Seconds")),
            ("gsa member x", "mode ?", ("fail-closed", "passive", "receive-only")),
            ("gsa member x", "initial-exchange ?", ("ike-auth", "gsa-auth"))):
        answer = lab.vtysh("sr", "configure terminal", block, line, check=False)
        missing = [word for word in words if word not in answer]
        check(not missing, f"{line} does not know {missing}: {answer}")
    answer = lab.vtysh("sr", "show gsa group ?", check=False)
    check("blue" in answer and "empty" in answer, f"show gsa group ? does not know them: {answer}")
    lab.configure("sr", "no gsa member x")


@case("README's lines for vtysh are commands as they stand there")
def readme(lab):
    place = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../README.md")
    with open(place, encoding="utf-8") as file:
        blocks = re.findall(r"^vtysh:\n\n```\n(.*?)^```", file.read(), re.M | re.S)
    check(len(blocks) == 2, f"README has {len(blocks)} blocks of lines for vtysh")
    path = os.path.join(os.environ["LAB_RUN"], "sr/run/readme.conf")
    for block in blocks + ["gsa group blue\n lifetime 5\nexit\n"]:
        with open(path, "w", encoding="ascii") as file:
            file.write(block)
        answer = lab.run("sr", "sh", "-c", f"{lab.programs.vtysh} -C -f /run/readme.conf 2>&1",
                         check=False)
        check(bool(answer) == (block not in blocks), f"{block}: {answer or 'taken'}")


@case("show gsa group detail: all that is known of each group")
def detail(lab):
    answer = lab.vtysh("sr", "show gsa group detail")
    for name in ("blue", "empty"):
        one = lab.vtysh("sr", f"show gsa group {name}").splitlines()[0]
        check(one.startswith(f"Group {name}, ") and one in answer, f"{name}: {one}: {answer}")


@case("debug is written when it was configured, not when it was only switched on")
def debugs(lab):
    for line in ("debug gsa server", "debug gsa bgp"):
        for commands, written in (([line], False), (["configure terminal", line], True),
                                  (["configure terminal", f"no {line}"], False)):
            lab.vtysh("sr", *commands)
            found = line in lab.vtysh("sr", "show running-config").splitlines()
            check(found == written, f"{commands}: {'written' if found else 'not written'}")


@case("gsa rekey group: a new SA, or the reason why there is none")
def rekey(lab):
    for name, words in (("nosuch", ("group nosuch is not configured", "show gsa group")),
                        ("empty", ("group empty has no registered member",))):
        answer = lab.vtysh("sr", f"gsa rekey group {name}", check=False)
        check(all(word in answer for word in words), f"{name}: {answer}")
    lab.configure("sr", "gsa group unnumbered")
    answer = lab.vtysh("sr", "gsa rekey group unnumbered", check=False)
    check("is not served: it has no identifier" in answer, f"unnumbered: {answer}")
    lab.configure("sr", "no gsa group unnumbered")
    before = shown(lab, "group", "blue")
    answer = lab.vtysh("sr", "gsa rekey group blue")
    check(not answer.strip(), f"blue: {answer}")
    wait_until(lambda: shown(lab, "group", "blue")["generation"] == before["generation"] + 1,
               30, "blue has the next SA", diagnose=lambda: shown(lab, "group", "blue"))
    check(shown(lab, "group", "blue")["spi"] != before["spi"], "it has the SPI of the old one")


def keys(value):
    """Of all objects in JSON."""
    if isinstance(value, dict):
        return set(value) | {key for inner in value.values() for key in keys(inner)}
    if isinstance(value, list):
        return {key for inner in value for key in keys(inner)}
    return set()


@case("the keys of show ... json are names of YANG")
def names(lab):
    place = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../yang/frr-gsa.yang")
    with open(place, encoding="ascii") as file:
        known = set(re.findall(r"^ *(?:leaf|leaf-list|list|container) ([\w-]+) ", file.read(), re.M))
    for node, line in (("sr", "show gsa group"), ("sr", "show gsa registrations"),
                       ("sr", "show gsa sa"), ("sr", "show gsa daemons"),
                       ("site", "show gsa member"), ("site", "show gsa sa")):
        answer = lab.show(node, line)
        check(keys(answer), f"{line} on {node} is empty")
        check(keys(answer) <= known, f"{line} on {node}: not in frr-gsa.yang: "
              f"{sorted(keys(answer) - known)}")


VOLATILE = ("age", "lifetime", "lifetime-left", "since-seconds", "received", "sent", "dropped")


def same(shown_value, state):
    """What YANG's state has is shown with the same value."""
    if isinstance(state, dict):
        return all(key in VOLATILE or same(shown_value.get(key), value)
                   for key, value in state.items())
    if isinstance(state, list):
        return len(state) == len(shown_value) and all(map(same, shown_value, state))
    if isinstance(state, str):
        state = state.replace("+00:00", "Z")    # of a time
    return state == shown_value


SHOWN = (("group", "group"), ("registration", "registrations"), ("member", "member"), ("sa", "sa"),
         ("daemon", "daemons"))


def steady(value):
    """Without what changes by itself."""
    if isinstance(value, dict):
        return {key: steady(inner) for key, inner in value.items() if key not in VOLATILE}
    if isinstance(value, list):
        return [steady(inner) for inner in value]
    return value


def all_shown(lab, node):
    return {kind: lab.show(node, f"show gsa {line}").get(kind, []) for kind, line in SHOWN}


def at_rest(lab, node):
    """YANG's state, and what show said before and after it, once that is the same: a rekey of
    the case before may still be under way."""
    path = lab.supervisor.socket_of(node, "gcksd")

    def read():
        before = all_shown(lab, node)
        tree = json.loads(vty.command(path, "show yang operational-data /frr-gsa:gsa/state"))
        if steady(before) != steady(all_shown(lab, node)):
            return None
        return tree["frr-gsa:gsa"]["state"], before

    return wait_until(read, 30, f"{node} is at rest", diagnose=lambda: all_shown(lab, node))


@case("YANG's state says the same as show ... json")
def state(lab):
    for node in ("sr", "site"):
        tree, answers_of = at_rest(lab, node)
        for kind, answer in answers_of.items():
            check(same(answer, tree.get(kind, [])), f"{kind} on {node}: state {tree.get(kind)}, "
                  f"shown {answer}")
        if node == "site":
            check(tree["member"][0]["connection-in-use"] == "blue"
                  and tree["member"][0]["sa"][0]["phase"] in ("arrived", "active"), f"{tree}")


def declared_notifications():
    """{name: its leaves} of YANG."""
    place = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../yang/frr-gsa.yang")
    with open(place, encoding="ascii") as file:
        text = file.read()
    blocks = {(kind, name): body for kind, name, body in re.findall(
        r"^  (grouping|notification) ([\w-]+) \{\n(.*?)^  \}\n", text, re.M | re.S)}

    def leaves(body):
        found = set(re.findall(r"^    leaf ([\w-]+) ", body, re.M))
        for name in re.findall(r"^    uses ([\w-]+);", body, re.M):
            found |= leaves(blocks["grouping", name])
        return found

    return {name: leaves(body) for (kind, name), body in blocks.items() if kind == "notification"}


def notifications(lab):
    """[(name, its content)] that were sent while debug gsa server was on."""
    return [next(iter(json.loads(line.split("GSA: notification ", 1)[1]).items()))
            for line in lab.log_lines("sr", "gcksd", "GSA: notification {")]


def await_notification(lab, since, name, **wanted):
    """The first one since then whose leaves have these values; an underscore is a hyphen."""
    wanted = {leaf.replace("_", "-"): value for leaf, value in wanted.items()}

    def found():
        return next((content for kind, content in notifications(lab)[since:]
                     if kind == f"frr-gsa:{name}" and wanted.items() <= content.items()), None)

    return wait_until(found, 30, f"{name} with {wanted}",
                      diagnose=lambda: notifications(lab)[since:])


@case("each notification of YANG is sent when its time comes, with all leaves that it has there")
def notified(lab):
    identity, address = "site.blue.example", str(lab.topology.nodes["site"].address)
    who = {"group": "blue", "identity": identity, "address": address}
    lab.vtysh("sr", "debug gsa server")
    since, got = len(notifications(lab)), {}
    generation = shown(lab, "group", "blue")["generation"]
    lab.vtysh("sr", "gsa rekey group blue")
    got["rekey-done"] = await_notification(lab, since, "rekey-done", group="blue", members=1,
                                           generation=generation + 1, unanswered=0)
    lab.vtysh("sr", f"clear gsa member {identity}")
    got["member-removed"] = await_notification(lab, since, "member-removed", **who,
                                               reason="cleared by the operator")
    got["member-registered"] = await_notification(lab, since, "member-registered", **who)
    since = len(notifications(lab))
    lab.configure("sr", "gsa group blue", f"deny identity {identity}")
    removed = await_notification(lab, since, "member-removed", **who)
    check("denied" in removed["reason"] or "deny" in removed["reason"], f"{removed}")
    got["member-refused"] = await_notification(lab, since, "member-refused", **who, notify=46)
    for line in await_log(lab, "site", "gcksd", "AUTHORIZATION_FAILED"):
        check(line.count("AUTHORIZATION_FAILED") == 1, f"says it twice: {line}")
    lab.configure("sr", "gsa group blue", f"no deny identity {identity}")
    await_notification(lab, since, "member-registered", **who)
    lab.vtysh("sr", "no debug gsa server")
    declared = declared_notifications()
    check({name: set(content) for name, content in got.items()} == declared,
          f"sent {got}, declared {declared}")
    check(not lab.log_lines("sr", "gcksd", "is not what YANG says"), "YANG says otherwise")


class Transactional:
    """A second gcksd whose configuration is edited in transactions, as a manager would."""

    def __init__(self, lab):
        self.lab = lab
        self.base = os.path.join(os.environ["LAB_RUN"], "sr")
        for place in ("run/frr/manager", "lib/manager"):
            os.makedirs(os.path.join(self.base, place), exist_ok=True)
        self.socket = os.path.join(self.base, "run/frr/manager/gcksd.vty")

    def __enter__(self):
        self.process = namespaces.popen(
            "sr", [self.lab.programs.daemons["gcksd"], "-u", "root", "-g", "root", "-N", "manager",
                   "-P", "0", "--tcli", "--log", "file:/var/log/frr/manager.log"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: os.path.exists(self.socket), 30, "the second gcksd listens")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)

    def commit(self, **group):
        """A group of YANG leaves in one transaction: (status, answer)."""
        with open(os.path.join(self.base, "run/group.json"), "w", encoding="ascii") as file:
            json.dump({"frr-gsa:gsa": {"group": [group]}}, file)
        return answers(self.socket, "configure private",
                       "configuration load file json /run/group.json", "commit")


@case("one transaction: what does not fit together is refused, whatever the order of its leaves")
def transaction(lab):
    with Transactional(lab) as manager:
        for group, words in (
                ({"cipher": "aes256gcm16", "sharing": "group"}, COUNTER_MODE),
                ({"sharing": "group", "cipher": "chacha20poly1305"}, COUNTER_MODE),
                ({"lifetime-data": 20, "activation-delay": 6, "deactivation-delay": 4},
                 too_short(20, 6, 4, 21)),
                ({"lifetime-data": 9}, ("lifetime-data is 10 to 86400 seconds",)),
                ({"sender-id-bits": 10}, ("sender-id-bits is 8, 12 or 16",)),
                ({"rekey-in-flight": 1001}, ("rekey-in-flight is 1 to 1000 members",))):
            status, answer = manager.commit(name="managed", **group)
            missing = [word for word in words if word not in answer]
            check(status != 0 and not missing, f"{group}: status {status}, no {missing}: {answer}")
        status, answer = manager.commit(name="managed", **{
            "lifetime-data": 20, "cipher": "aes256gcm16", "deactivation-delay": 2,
            "activation-delay": 1, "sharing": "pairwise", "rekey-on-leave": True})
        check(status == 0, f"a good transaction: {answer}")
        entry = json.loads(vty.command(manager.socket, "show gsa group managed json"))["group"][0]
        for leaf, value in (("lifetime-data", 20), ("cipher", "aes256gcm16"),
                            ("sharing", "pairwise"), ("rekey-on-leave", True)):
            check(entry[leaf] == value, f"{leaf} of {entry}")


if __name__ == "__main__":
    main()
