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
"""States that the kernel loses though nobody of ours asked for it: an operator deletes them, or the
kernel takes their lifetime for over. It heals by itself, no key is used again with a window or a
counter that begins anew, and what goes on and on is waited for."""

import contextlib
import re
import socket
import time

from harness import case, check, main, wait_until
from observe import (await_log, check_nothing_clear, check_reachability, converged,
                     still_answering)
from pairs import address, delete, inbound, keys, outbound, sender_id, sender_ids
from rekeying import current_spi, group_states, rekey
from topology import esp, namespaces, ping
from topology.capture import Capture
from topology.errors import Timeout

STEP_S = 60
HOUR_S = 3600


def limit(lab, site, state, *limits):
    algorithms = ["aead", state["algorithms"][0], f"0x{state['keys'][0]}", "128"]
    if len(state["algorithms"]) > 1:
        algorithms = ["auth-trunc", "hmac(sha256)", f"0x{state['keys'][0]}", "128",
                      "enc", "cbc(aes)", f"0x{state['keys'][1]}"]
    lab.run(site, "ip", "xfrm", "state", "update", "src", state["source"], "dst",
            state["destination"], "proto", "esp", "spi", f"{state['spi']:#x}", "reqid",
            str(state["reqid"]), "mode", "tunnel", *algorithms, "limit", *limits)


def expire(lab, site, state):
    """The kernel takes its lifetime for over a second from now."""
    limit(lab, site, state, "time-hard", "1")


def use_up(lab, site, state):
    """Its next packets are the last ones it may send."""
    limit(lab, site, state, "packet-hard", "5")


def packets_allowed(lab, site, state):
    text = lab.run(site, "ip", "-s", "xfrm", "state", "get", "src", state["source"], "dst",
                   state["destination"], "proto", "esp", "spi", f"{state['spi']:#x}")
    return re.search(r"hard (\S+)\(packets\)", text).group(1)


def from_to(states, source=None, destination=None):
    found = [state for state in states if source in (None, state["source"])
             and destination in (None, state["destination"])]
    check(len(found) == 1, f"{len(found)} states from {source} to {destination}")
    return found[0]


def lost(lab, site, group):
    return lab.member(site, group).get("lost-states", 0)


def nothing_waits(lab, site):
    wait_until(lambda: not any("lost-states-wait" in entry for entry in lab.members(site)), STEP_S,
               "nothing waits", diagnose=lambda: lab.members(site))


def flows_of(lab, *hosts):
    return [flow for flow in lab.host_flows(reachable=True)
            if {flow.source, flow.target} <= set(hosts)]


@contextlib.contextmanager
def healing(lab, flows):
    """Traffic before, and again after what the block does."""
    with Capture(lab, "provider", "lost") as capture, ping.Traffic(flows) as traffic:
        wait_until(lambda: all(still_answering(flow) for flow in flows), STEP_S, "traffic flows")
        start = time.monotonic()
        yield
        # answers to what was sent since it was lost, not to earlier probes
        since = time.monotonic()
        wait_until(lambda: all(flow.answers_since(since) > 5 for flow in flows), STEP_S,
                   "traffic flows again", diagnose=lambda: [
                       str(flow) for flow in flows if flow.answers_since(since) <= 5])
        print(f"# healed after at most {time.monotonic() - start:.1f} s", flush=True)
        traffic.stop()
    check_nothing_clear(capture)


def await_lost(lab, site, group, before, word):
    wait_until(lambda: lost(lab, site, group) > before, STEP_S, f"{site} has seen it",
               diagnose=lambda: lab.members(site))
    check(word in lab.member(site, group)["lost-states-reason"], f"{lab.member(site, group)}")
    await_log(lab, site, "gcksd", group, "is lost", word)


@case("one SA for all: a state that is deleted or that expires is made again as it was")
def shared(lab):
    flows = flows_of(lab, "host3", "host4")
    for how, word in ((delete, "deleted"), (expire, "lifetime")):
        for direction in (inbound, outbound):
            (state,) = direction(lab, "site3", "red")
            before, others = lost(lab, "site3", "red"), keys(lab, "site3", "red")
            nothing_waits(lab, "site3")
            with healing(lab, flows):
                how(lab, "site3", state)
                await_lost(lab, "site3", "red", before, word)
                wait_until(lambda: direction(lab, "site3", "red"), STEP_S, "it is there again")
            (again,) = direction(lab, "site3", "red")
            check((again["spi"], again["keys"]) == (state["spi"], state["keys"]),
                  f"{state['spi']:#x} was lost, {again['spi']:#x} is there")
            check(keys(lab, "site3", "red") == others, "other keys than before")
    (state,) = outbound(lab, "site3", "red")
    before = lost(lab, "site3", "red")
    nothing_waits(lab, "site3")
    with healing(lab, flows):
        use_up(lab, "site3", state)
        await_lost(lab, "site3", "red", before, "as many packets")
    check(current_spi(lab, "red") == state["spi"], "red has another SA")


def esp_between(lab, capture, source, destination):
    ends = (lab.topology.nodes[source].address, lab.topology.nodes[destination].address)
    return list({packet.data: packet for packet in capture.packets
                 if packet.protocol == esp.ESP
                 and (packet.source, packet.destination) == ends}.values())


def record(lab):
    """ESP of site1 to site2, and what it carried was taken."""
    flow = lab.flow("host1", "host2")
    with Capture(lab, "provider", "record") as capture, ping.Traffic([flow]) as traffic:
        wait_until(lambda: still_answering(flow, 10), STEP_S, "traffic flows")
        traffic.stop()
    packets = esp_between(lab, capture, "site1", "site2")
    check(len(packets) >= 10, f"{len(packets)} packets captured")
    return packets


def check_no_replay(lab, packets):
    """Packets that site2 has taken once are not taken again."""
    with namespaces.inside("provider"):
        again = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    fresh = lab.flow("host3", "host2")
    with again, Capture(lab, "host2", "replayed") as capture:
        for packet in packets:
            again.sendto(packet.data, (address(lab, "site2"), 0))
        # what was sent before this has come or never will
        check(ping.answering([fresh], 10), f"{fresh}: no answer")
    sources = {lab.topology.nodes["host1"].address}
    reached = [packet for packet in capture.packets if ping.MARKER in packet.data
               and packet.source in sources]
    check(not reached, f"{len(reached)} of {len(packets)} replayed packets came to host2")


def check_new_keys(lab, before, spi):
    """All pairs of site2 have keys that were not there before, under the same SA."""
    wait_until(lambda: len(sender_ids(lab, "site2")) == 1, STEP_S, "the old states have gone")
    check(current_spi(lab, "blue") == spi, "blue has another SA")
    check(sender_id(lab, "site2") != before[0], "site2 sends under the same Sender-ID")
    check(not before[1] & keys(lab, "site2"), "a key of before is used")


def lose_pair(lab, how, word, direction):
    packets = record(lab)
    spi, before = current_spi(lab, "blue"), (sender_id(lab, "site2"), keys(lab, "site2"))
    count = lost(lab, "site2", "blue")
    end = {"source" if direction is inbound else "destination": address(lab, "site1")}
    nothing_waits(lab, "site2")
    with healing(lab, flows_of(lab, "host1", "host2", "host3")):
        how(lab, "site2", from_to(direction(lab, "site2"), **end))
        await_lost(lab, "site2", "blue", count, word)
        wait_until(lambda: sender_ids(lab, "site2") - {before[0]}, STEP_S,
                   "site2 has another Sender-ID", diagnose=lambda: lab.members("site2"))
    converged(lab)
    check_new_keys(lab, before, spi)
    check_no_replay(lab, packets)


@case("pairwise: an inbound state that is deleted or expires: new keys, and nothing is taken twice")
def pair_inbound(lab):
    lose_pair(lab, delete, "deleted", inbound)
    lose_pair(lab, expire, "lifetime", inbound)


@case("pairwise: an outbound state that is deleted or expires: no (key, nonce) a second time")
def pair_outbound(lab):
    lose_pair(lab, delete, "deleted", outbound)
    lose_pair(lab, expire, "lifetime", outbound)
    lose_pair(lab, use_up, "as many packets", outbound)


@case("an outbound state ends before its sequence numbers begin anew, an inbound one counts none")
def sequence_numbers(lab):
    for site, group in (("site1", "blue"), ("site4", "red")):
        for state in outbound(lab, site, group):
            most = packets_allowed(lab, site, state)
            check(most.isdigit() and 2**31 < int(most) < 2**32, f"{state['spi']:#x}: {most} packets")
        for state in inbound(lab, site, group):
            most = packets_allowed(lab, site, state)
            check(most == "(INF)", f"inbound {state['spi']:#x}: {most} packets")


@case("all states of a site that is in both groups are flushed")
def flushed(lab):
    before = {name: (lost(lab, "site3", name), keys(lab, "site3", name))
              for name in ("blue", "red")}
    with healing(lab, lab.host_flows(reachable=True)):
        lab.run("site3", "ip", "xfrm", "state", "flush")
        for name, (count, _) in before.items():
            await_lost(lab, "site3", name, count, "flush")
        wait_until(lambda: keys(lab, "site3") and not keys(lab, "site3") & before["blue"][1],
                   STEP_S, "site3 has other keys with blue")
    converged(lab)
    check(keys(lab, "site3", "red") == before["red"][1], "red has other keys")
    check_reachability(lab)


@case("the clock is set in the first second of a rekey's states: the kernel ends them, all heals")
def clock(lab):
    for name, site in (("blue", "site1"), ("red", "site4")):
        lab.configure("sr", f"gsa group {name}", f"lifetime data {HOUR_S // 2}")
        with healing(lab, lab.host_flows(reachable=True)):
            # on a loaded machine it may come too late
            check(any(set_clock(lab, name, site) for _ in range(5)), "no state was ended")
        await_log(lab, site, "gcksd", name, "is lost", "was the clock set")
        # the cases before have lost many
        for node in lab.topology.gateways:
            nothing_waits(lab, node.name)
        converged(lab)
        check_reachability(lab)
        lab.configure("sr", f"gsa group {name}", "no lifetime data")


def set_clock(lab, name, site):
    """By an hour, when the states of a rekey are made; did it end one?"""
    count, spi = lost(lab, site, name), current_spi(lab, name)
    rekey(lab, name)
    wait_until(lambda: any(state["spi"] & ~lab.sender_mask(name) != spi
                           for state in group_states(lab, site, name)), STEP_S, "new states")
    lab.step_clock(HOUR_S)
    try:
        wait_until(lambda: lost(lab, site, name) > count, 5, "a state is lost")
    except Timeout:
        return False
    finally:
        lab.step_clock(-HOUR_S)
    return True


@case("states are deleted while gcksd or charon is away: seen when it is back, nothing is taken twice")
def while_away(lab):
    for daemon in ("charon", "gcksd"):
        packets = record(lab)
        spi, before = current_spi(lab, "blue"), (sender_id(lab, "site2"), keys(lab, "site2"))
        sender = sender_id(lab, "site1")
        lab.kill("site2", daemon)
        # those of the Sender-ID that site1 had before may be there as well
        delete(lab, "site2", from_to([state for state in inbound(lab, "site2")
                                      if state["spi"] & 0xffff == sender],
                                     source=address(lab, "site1")))
        lab.start("site2", daemon)
        wait_until(lambda before=before: sender_ids(lab, "site2") - {before[0]}, STEP_S,
                   "site2 has another Sender-ID", diagnose=lambda: lab.members("site2"))
        converged(lab)
        check_new_keys(lab, before, spi)
        check_no_replay(lab, packets)
        check_reachability(lab)


@case("what is lost again and again is waited for, and shown; then it heals")
def again_and_again(lab):
    start, count = sender_id(lab, "site2"), lost(lab, "site2", "blue")
    end = time.monotonic() + 25
    while time.monotonic() < end:
        lab.run("site2", "ip", "xfrm", "state", "flush")
        time.sleep(0.3)
    entry = lab.member("site2", "blue")
    check(entry["lost-states"] > count and entry.get("lost-states-wait", 0) > 4, f"{entry}")
    await_log(lab, "site2", "gcksd", "blue", "times in a row")
    detail = lab.vtysh("site2", "show gsa member blue")
    check("Lost states" in detail and "made up for in" in detail, detail)
    # in 25 s at 0.3 s each: a Sender-ID for each would be 80
    wait_until(lambda: lab.member("site2", "blue")["sender-id"] != start
               and "lost-states-wait" not in lab.member("site2", "blue"), 2 * STEP_S, "it heals")
    converged(lab)
    used = sender_id(lab, "site2") - start
    print(f"# {lost(lab, 'site2', 'blue') - count} states lost, {used} Sender-IDs", flush=True)
    check(used <= 10, f"{used} Sender-IDs were used")
    check_reachability(lab)


if __name__ == "__main__":
    main()
