#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: two-groups
#
# site1's charon with a gcksd of the test's own (standins.py) in front and the real kernel behind.
# site1 and site4 have an ordinary IPsec tunnel as well.
"""What gcksd asks for is what the kernel then holds; what others have there stays."""

import os
import re
import socket

from harness import case, check, main, wait_until
from local_protocol import VALUES, Gcksd
from observe import converged
from topology import ping

SITE = "site1"
STEP_S = 60
REQIDS = 0x47000000  # of groups, and up
REQID, OTHER_REQID, FOREIGN_REQID = REQIDS + 1, REQIDS + 2, 77
PEER = "198.18.99.2"
CBC, GCM, CHACHA, SHA256 = 12, 20, 28, 12
IN, OUT, FORWARD = (VALUES[f"DIRECTION_{name}"] for name in ("IN", "OUT", "FORWARD"))
PROTECT, BLOCK, OPTIONAL = (VALUES[f"POLICY_{name}"] for name in ("PROTECT", "BLOCK", "OPTIONAL"))


def gcksd(lab):
    if not hasattr(lab, "standin"):
        converged(lab)
        lab.standin = Gcksd(lab, SITE)
        lab.standin.accept()
        lab.standin.sync_done()
    return lab.standin


def own(lab):
    return str(lab.topology.nodes[SITE].address)


def request(lab, body, **fields):
    """Installed, of one request."""
    member = gcksd(lab)
    number = member.request()
    member.send(body, id=number, **fields)
    return member.await_message("installed", lambda installed: installed["id"] == number)


def sa(spi, source, destination, *, reqid=REQID, encryption=GCM, bits=256, key=36, **fields):
    return {"spi": spi, "source": socket.inet_aton(source),
            "destination": socket.inet_aton(destination), "reqid": reqid, "encryption": encryption,
            "encryption_key_bits": bits, "encryption_key": os.urandom(key), **fields}


def states(lab):
    """{(destination, SPI): text} of the kernel."""
    text = lab.run(SITE, "ip", "-s", "xfrm", "state")
    found = {}
    for block in re.split(r"\n(?=src )", text.strip()):
        match = re.search(r"src \S+ dst (\S+)\s+proto esp spi 0x([0-9a-f]+)", block)
        if match:
            found[match.group(1), int(match.group(2), 16)] = block
    return found


def check_ok(answer):
    check(answer["ok"] and not answer["text"], f"{answer}")


@case("states of each cipher, with a replay window and a hard end")
def ciphers(lab):
    wanted = (
        (0x50000001, {"encryption": GCM, "bits": 256, "key": 36}, "rfc4106(gcm(aes))", 128),
        (0x50000002, {"encryption": GCM, "bits": 128, "key": 20}, "rfc4106(gcm(aes))", 128),
        (0x50000003, {"encryption": CHACHA, "bits": 0, "key": 36},
         "rfc7539esp(chacha20,poly1305)", 128),
        (0x50000004, {"encryption": CBC, "bits": 256, "key": 32, "integrity": SHA256,
                      "integrity_key": os.urandom(32)}, "cbc(aes)", None))
    for spi, fields, algorithm, icv in wanted:
        fields = sa(spi, PEER, own(lab), inbound=True, replay_window=64, lifetime_s=500, **fields)
        check_ok(request(lab, "install_sa", **fields))
        text = states(lab)[own(lab), spi]
        check(f"{algorithm} 0x{fields['encryption_key'].hex()}" in text, text)
        check(icv is None or re.search(rf"{fields['encryption_key'].hex()} .*{icv}", text), text)
        check("replay_window 64" in text, text)
        check("hard 500(sec)" in text, text)
        check(f"reqid {REQID}" in text, text)
        check("mode tunnel" in text, text)
        check_ok(request(lab, "remove_sa", spi=spi, source=fields["source"],
                         destination=fields["destination"], reqid=REQID))
        check((own(lab), spi) not in states(lab), "the state is still there")
    for wrong in ({"encryption": GCM, "bits": 256, "key": 32}, {"encryption": CHACHA, "bits": 256},
                  {"encryption": GCM, "integrity": SHA256, "integrity_key": bytes(32)}):
        answer = request(lab, "install_sa", **sa(0x50000005, PEER, own(lab), inbound=True, **wrong))
        check(not answer["ok"] and answer["text"], f"{answer}")


@case("at its end the kernel has dropped the state, whoever is alive")
def hard_end(lab):
    check_ok(request(lab, "install_sa", **sa(0x50000010, PEER, own(lab), inbound=True,
                                              lifetime_s=2)))
    wait_until(lambda: (own(lab), 0x50000010) not in states(lab), STEP_S, "the state is gone")
    check_ok(request(lab, "remove_sa", spi=0x50000010, source=socket.inet_aton(PEER),
                     destination=socket.inet_aton(own(lab)), reqid=REQID))


@case("a sender's state is never made twice: left as it is, or said to be gone")
def keep(lab):
    state = sa(0x50000020, own(lab), PEER, keep=True)
    place = PEER, 0x50000020
    check_ok(request(lab, "install_sa", **state, fresh=True))
    # what the kernel counts tells whether it is the same state
    lab.run(SITE, "ip", "xfrm", "policy", "add", "src", own(lab), "dst", PEER, "dir", "out",
            "tmpl", "src", own(lab), "dst", PEER, "proto", "esp", "reqid", str(REQID),
            "mode", "tunnel")
    lab.run(SITE, "ping", "-c", "1", "-W", "1", PEER, check=False)
    lab.run(SITE, "ip", "xfrm", "policy", "delete", "src", own(lab), "dst", PEER, "dir", "out")
    before = re.search(r"lifetime current:\s*(\d+)\(bytes\), (\d+)\(packets\)", states(lab)[place])
    check(before.group(2) != "0", f"no packet used the state: {states(lab)[place]}")
    for fresh in (False, True):
        check_ok(request(lab, "install_sa", **state, fresh=fresh))
        check(before.group(0) in states(lab)[place], "another state is in its place")
    lab.run(SITE, "ip", "xfrm", "state", "delete", "src", own(lab), "dst", PEER, "proto", "esp",
            "spi", "0x50000020")
    answer = request(lab, "install_sa", **state)
    check(not answer["ok"] and answer["gone"] and not answer["conflict"], f"{answer}")
    check(place not in states(lab), "the state was made again")
    # another key in its place is not what was meant
    check_ok(request(lab, "install_sa", **{**state, "encryption_key": os.urandom(36)}, fresh=True))
    answer = request(lab, "install_sa", **state)
    check(answer["gone"], f"{answer}")
    check_ok(request(lab, "remove_sa", spi=0x50000020, source=state["source"],
                     destination=state["destination"], reqid=REQID))


@case("the SPI of somebody else's state is a conflict that names it; it is not overwritten")
def conflicts(lab):
    place = own(lab), 0x50000030
    lab.run(SITE, "ip", "xfrm", "state", "add", "src", PEER, "dst", own(lab), "proto", "esp", "spi",
            "0x50000030", "reqid", str(FOREIGN_REQID), "mode", "tunnel", "aead",
            "rfc4106(gcm(aes))", "0x" + os.urandom(20).hex(), "128")
    before = re.sub(r"(?s)lifetime.*", "", states(lab)[place])
    state = sa(0x50000030, PEER, own(lab), inbound=True)
    for fields in (state, {**state, "keep": True, "fresh": True}):
        answer = request(lab, "install_sa", **fields)
        check(not answer["ok"] and answer["conflict"] and not answer["gone"], f"{answer}")
        check("50000030" in answer["text"] and f"reqid {FOREIGN_REQID}" in answer["text"]
              and own(lab) in answer["text"], f"{answer}")
    for reqid in (REQID, 0):
        check_ok(request(lab, "remove_sa", spi=0x50000030, source=state["source"],
                         destination=state["destination"], reqid=reqid))
    check(re.sub(r"(?s)lifetime.*", "", states(lab)[place]) == before, "it was overwritten")
    lab.run(SITE, "ip", "xfrm", "state", "delete", "src", PEER, "dst", own(lab), "proto", "esp",
            "spi", "0x50000030")
    check_ok(request(lab, "install_sa", **state))
    # now it is a group's, and another group's is the conflict
    answer = request(lab, "install_sa", **{**state, "reqid": OTHER_REQID})
    check(answer["conflict"] and f"reqid {REQID}" in answer["text"], f"{answer}")
    check_ok(request(lab, "remove_sa", spi=0x50000030, source=state["source"],
                     destination=state["destination"], reqid=OTHER_REQID))
    check(f"0x{state['encryption_key'].hex()}" in states(lab)[place], "it was removed or replaced")
    check_ok(request(lab, "remove_sa", spi=0x50000030, source=state["source"],
                     destination=state["destination"], reqid=REQID))
    check(place not in states(lab), "it is still there")


@case("so is the SPI of a CHILD_SA, either way, which is named")
def child_conflict(lab):
    peer = str(lab.topology.nodes["site4"].address)
    found = {place: text for place, text in states(lab).items() if place[0] in (own(lab), peer)
             and int(re.search(r"reqid (\d+)", text).group(1)) < REQIDS}
    check(len(found) >= 2, f"no states of the tunnel: {list(states(lab))}")
    for (destination, spi), text in found.items():
        source = peer if destination == own(lab) else own(lab)
        answer = request(lab, "install_sa", **sa(spi, source, destination,
                                                 inbound=destination == own(lab)))
        check(answer["conflict"] and "CHILD_SA site1-site4{" in answer["text"], f"{answer}")
        keys = re.findall(r"0x[0-9a-f]{20,}", text)
        check(keys and all(key in states(lab)[destination, spi] for key in keys),
              "the CHILD_SA's state was touched")
    flows = list(lab.tunnel_flows())
    check(flows and ping.answering(flows, 10) == flows, "the tunnel does not carry")


def policy(source, destination, direction, action, **fields):
    def prefix(text):
        address, length = text.split("/")
        return {"address": socket.inet_aton(address), "length": int(length)}
    return {"direction": direction, "source": prefix(source), "destination": prefix(destination),
            "action": action, "priority": 100000, **fields}


def policies(lab):
    """{(source, destination, direction): text}"""
    text = lab.run(SITE, "ip", "xfrm", "policy")
    found = {}
    for block in re.split(r"\n(?=src )", text.strip()):
        match = re.search(r"src (\S+) dst (\S+).*?dir (\w+)", block, re.S)
        if match:
            found[match.groups()] = block
    return found


@case("optional policies take clear packets too, inwards only; they give way without a gap")
def optional(lab):
    def tunnel(direction, action):
        return policy("10.77.0.0/24", "10.1.0.0/24", direction, action,
                      tunnel_source=bytes(4), tunnel_destination=socket.inet_aton(own(lab)),
                      reqid=REQID)
    for direction, name in ((IN, "in"), (FORWARD, "fwd")):
        place = "10.77.0.0/24", "10.1.0.0/24", name
        check_ok(request(lab, "install_policy", **tunnel(direction, OPTIONAL)))
        check("level use" in policies(lab)[place], policies(lab)[place])
        check_ok(request(lab, "install_policy", **tunnel(direction, OPTIONAL)))
        check("level use" in policies(lab)[place], policies(lab)[place])
        check_ok(request(lab, "install_policy", **tunnel(direction, PROTECT)))
        check("level use" not in policies(lab)[place] and "proto esp" in policies(lab)[place],
              policies(lab)[place])
        # its successor stays
        check_ok(request(lab, "remove_policy", **tunnel(direction, OPTIONAL)))
        check("proto esp" in policies(lab)[place], "the successor was removed")
        check_ok(request(lab, "install_policy", **tunnel(direction, OPTIONAL)))
        check("level use" in policies(lab)[place], policies(lab)[place])
        check_ok(request(lab, "remove_policy", **tunnel(direction, OPTIONAL)))
        check(place not in policies(lab), f"{policies(lab)}")
    answer = request(lab, "install_policy", **{**tunnel(OUT, OPTIONAL),
                                               "tunnel_destination": socket.inet_aton(PEER)})
    check(not answer["ok"] and "outbound" in answer["text"], f"{answer}")


def ended(lab, spi):
    return gcksd(lab).bodies("state_ended", lambda body: body["spi"] == spi)


def await_ended(lab, state, by):
    """Told, once, and with whose state it was."""
    body = gcksd(lab).await_message("state_ended", lambda body: body["spi"] == state["spi"])
    check({name: body[name] for name in ("source", "destination", "reqid", "by")}
          == {name: state[name] for name in ("source", "destination", "reqid")}
          | {"by": VALUES[f"ENDED_BY_{by}"]}, f"{by}: {body}")
    request(lab, "remove_sa", spi=256, source=bytes(4), destination=socket.inet_aton(PEER))
    check(len(ended(lab, state["spi"])) == 1, f"{ended(lab, state['spi'])}")


def delete(lab, spi):
    lab.run(SITE, "ip", "xfrm", "state", "delete", "src", PEER, "dst", own(lab), "proto", "esp",
            "spi", f"{spi:#x}")


@case("a state that others end is told with the reason: deleted, flushed, its lifetime")
def told(lab):
    def inbound(spi, **fields):
        state = sa(spi, PEER, own(lab), inbound=True, **fields)
        check_ok(request(lab, "install_sa", **state))
        return state
    state = inbound(0x50000060)
    delete(lab, 0x50000060)
    await_ended(lab, state, "DELETION")
    await_ended(lab, inbound(0x50000061, lifetime_s=1), "EXPIRY")
    states_made = [inbound(spi) for spi in range(0x50000062, 0x50000072)]
    lab.run(SITE, "ip", "xfrm", "state", "flush", "proto", "esp")
    for each in states_made:
        await_ended(lab, each, "FLUSH")
    # one that is made again is told again
    state = inbound(0x50000080)
    for _ in range(3):
        delete(lab, 0x50000080)
        gcksd(lab).await_message("state_ended", lambda body: body["spi"] == 0x50000080)
        gcksd(lab).received.clear()
        check_ok(request(lab, "install_sa", **state))
    check_ok(request(lab, "remove_sa", spi=0x50000080, source=state["source"],
                     destination=state["destination"], reqid=REQID))


@case("what gcksd has removed or replaced is not told, nor what others have")
def not_told(lab):
    state = sa(0x50000090, PEER, own(lab), inbound=True)
    check_ok(request(lab, "install_sa", **state))
    # another key: the old one is deleted first
    check_ok(request(lab, "install_sa", **{**state, "encryption_key": os.urandom(36)}))
    check_ok(request(lab, "remove_sa", spi=0x50000090, source=state["source"],
                     destination=state["destination"], reqid=REQID))
    for reqid in (FOREIGN_REQID, OTHER_REQID):
        lab.run(SITE, "ip", "xfrm", "state", "add", "src", PEER, "dst", own(lab), "proto", "esp",
                "spi", "0x50000091", "reqid", str(reqid), "mode", "tunnel", "aead",
                "rfc4106(gcm(aes))", "0x" + os.urandom(20).hex(), "128")
        delete(lab, 0x50000091)
    # what is told of this one comes behind the others
    state = sa(0x50000092, PEER, own(lab), inbound=True)
    check_ok(request(lab, "install_sa", **state))
    delete(lab, 0x50000092)
    await_ended(lab, state, "DELETION")
    check(not ended(lab, 0x50000090) and not ended(lab, 0x50000091),
          f"{ended(lab, 0x50000090)}, {ended(lab, 0x50000091)}")


if __name__ == "__main__":
    main()
