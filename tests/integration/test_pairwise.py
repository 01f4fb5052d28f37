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
"""A key for each pair: AEAD ciphers, replay windows, Sender-IDs that are never used twice, and
SPIs that somebody else has already."""

import os
import socket
import time

from harness import case, check, main, wait_until
from observe import (await_log, check_nothing_clear, check_reachability, converged,
                     still_answering)
from pairs import address, inbound, outbound, replay_counters, sender_id
from rekeying import (await_alone, check_no_loss, command, current_spi, generation, group_states,
                      made, rekey_through)
from topology import esp, namespaces, ping
from topology.capture import Capture

STEP_S = 60
SITES = ("site1", "site2", "site3")
CIPHERS = {"aes128gcm16": ("rfc4106(gcm(aes))", 16 + 4),
           "chacha20poly1305": ("rfc7539esp(chacha20,poly1305)", 32 + 4),
           "aes256gcm16": ("rfc4106(gcm(aes))", 32 + 4)}


def blue_flows(lab):
    return [flow for flow in lab.host_flows(reachable=True)
            if "host4" not in (flow.source, flow.target)]


@case("states: one in and one out for each other site, a key for each direction of each pair")
def states(lab):
    keys = {}
    for site in SITES:
        others = {address(lab, other) for other in SITES if other != site}
        check({state["destination"] for state in outbound(lab, site)} == others
              and len(outbound(lab, site)) == 2, f"{site}: {outbound(lab, site)}")
        check({state["source"] for state in inbound(lab, site)} == others
              and len(inbound(lab, site)) == 2, f"{site}: {inbound(lab, site)}")
        for state in inbound(lab, site):
            check(state["replay_window"] >= 64, f"replay window of {state}")
        for state in group_states(lab, site, "blue"):
            pair = (state["source"], state["destination"])
            keys.setdefault(pair, set()).add((state["spi"], state["keys"]))
            check(not state["esn"], f"extended sequence numbers: {state}")
    check(all(len(found) == 1 for found in keys.values()) and len(keys) == 6,
          lambda: f"pairs with other SPIs or keys at both ends: {list(keys)}")
    check(len({found for each in keys.values() for _, found in each}) == 6, "pairs share a key")
    check(len({sender_id(lab, site) for site in SITES}) == 3, "two sites have one Sender-ID")


@case("AES-GCM-128, ChaCha20-Poly1305 and AES-GCM-256 carry the traffic of all pairs")
def ciphers(lab):
    for cipher, (algorithm, octets) in CIPHERS.items():
        lab.configure("sr", "gsa group blue", f"cipher {cipher}")
        rekey_through(lab, "blue")
        for site in SITES:
            for state in group_states(lab, site, "blue"):
                check(state["algorithms"] == (algorithm,) and len(state["keys"][0]) == 2 * octets,
                      f"{cipher}, {site}: {state['algorithms']}, {len(state['keys'][0]) // 2}")
        with Capture(lab, "provider", cipher) as capture:
            check_reachability(lab)
        check_nothing_clear(capture)
        opened = [packet for packet in capture.packets if packet.protocol == esp.ESP
                  for state in inbound(lab, "site2") if esp.spi_of(packet) == state["spi"]
                  and str(packet.source) == state["source"]
                  and esp.opened(packet, esp.Keys.of(state))]
        check(opened, f"{cipher}: no captured packet is what the states say")
    lab.configure("sr", "gsa group blue", "no cipher")
    rekey_through(lab, "blue")


@case("captured ESP packets that are sent again are dropped and counted")
def replay(lab):
    flow = lab.flow("host1", "host2")
    with Capture(lab, "provider", "replay") as capture:
        check(ping.answering([flow], 10), f"{flow}: no answer")
        with ping.Traffic([flow]) as traffic:
            wait_until(lambda: still_answering(flow, 10), STEP_S, "traffic flows")
            traffic.stop()
    ends = (lab.topology.nodes["site1"].address, lab.topology.nodes["site2"].address)
    packets = list({packet.data: packet for packet in capture.packets if packet.protocol == esp.ESP
                    and (packet.source, packet.destination) == ends}.values())
    check(len(packets) >= 10, f"{len(packets)} packets captured")
    with namespaces.inside("provider"):
        again = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with again, Capture(lab, "host2", "replayed") as capture:
        before = replay_counters(lab, "site2")
        for packet in packets:
            again.sendto(packet.data, (address(lab, "site2"), 0))
        wait_until(lambda: replay_counters(lab, "site2")[0] >= before[0] + len(packets), STEP_S,
                   "all replayed packets are counted",
                   diagnose=lambda: f"{before}, {replay_counters(lab, 'site2')}")
        after = replay_counters(lab, "site2")
    check(after == (before[0] + len(packets), before[1] + len(packets)),
          f"{len(packets)} replayed packets, counters went from {before} to {after}")
    reached = [packet for packet in capture.packets if ping.MARKER in packet.data]
    check(not reached, f"{len(reached)} of them came to the host")
    check_reachability(lab)


@case("charon or gcksd of a site restarts: the kernel's states go on, not one packet is lost")
def daemon_restarts(lab):
    flows = blue_flows(lab)
    for daemon in ("charon", "gcksd"):
        before = {(state["spi"], state["keys"]) for state in outbound(lab, "site2")}
        with ping.Traffic(flows) as traffic:
            wait_until(lambda: all(still_answering(flow) for flow in flows), STEP_S, "traffic flows")
            start = time.monotonic()
            lab.kill("site2", daemon)
            lab.start("site2", daemon)
            converged(lab)
            wait_until(lambda: lab.registration("site2.blue.example"), STEP_S, "registered")
            end = time.monotonic()
            wait_until(lambda: all(still_answering(flow) for flow in flows), STEP_S,
                       "traffic goes on")
            traffic.stop()
        check_no_loss(flows, start, end)
        after = {(state["spi"], state["keys"]) for state in outbound(lab, "site2")}
        check(after == before, f"{daemon}: the states went from {[hex(spi) for spi, _ in before]} to "
              f"{[hex(spi) for spi, _ in after]}")


@case("put out while its charon is dead, and the key server's gcksd is killed before it is back: "
      "its routes are used")
def put_out_unheard(lab):
    lab.kill("site2", "charon")
    before = sender_id(lab, "site2")
    command(lab, "sr", "clear gsa member site2.blue.example")
    wait_until(lambda: not lab.registration("site2.blue.example"), STEP_S, "site2 is put out")
    lab.kill("sr", "gcksd")
    lab.start("sr", "gcksd")
    lab.start("site2", "charon")
    converged(lab)
    check_reachability(lab)
    given = lab.registration("site2.blue.example")["sender-id"]
    check(before in given, f"site2 has sent as Sender-ID {before}, and its own are only {given}")


@case("a site that reboots sends under another Sender-ID: no (key, nonce) a second time")
def reboot(lab):
    old, spi = sender_id(lab, "site2"), current_spi(lab, "blue")
    old_keys = {state["keys"] for state in outbound(lab, "site2")}
    daemons = lab.supervisor.daemons_of("site2")
    with Capture(lab, "provider", "reboot") as capture:
        for daemon in daemons:
            lab.kill("site2", daemon)
        # nothing is left that could protect: what comes meanwhile must not come through
        lab.run("site2", "ip", "link", "set", "lan", "down")
        lab.run("site2", "ip", "xfrm", "state", "flush")
        lab.run("site2", "ip", "xfrm", "policy", "flush")
        for daemon in sorted(daemons, key=lambda name: name == "charon"):
            lab.start("site2", daemon)
        lab.run("site2", "ip", "link", "set", "lan", "up")
        converged(lab)
    check_nothing_clear(capture)
    check_reachability(lab)
    if current_spi(lab, "blue") == spi:
        check(sender_id(lab, "site2") != old, f"site2 sends under Sender-ID {old} again")
    check(not old_keys & {state["keys"] for state in outbound(lab, "site2")},
          "site2 sends under an old key")


@case("a site that loses store and states of the kernel, but not charon, takes another Sender-ID")
def lost_store(lab):
    old, spi = sender_id(lab, "site2"), current_spi(lab, "blue")
    old_keys = {state["keys"] for state in outbound(lab, "site2")}
    lab.kill("site2", "gcksd")
    lab.run("site2", "ip", "xfrm", "state", "flush")
    lab.run("site2", "sh", "-c", "rm /var/lib/frr/gcksd.db*")
    lab.start("site2", "gcksd")
    wait_until(lambda: outbound(lab, "site2"), STEP_S, "site2 has states to send with")
    converged(lab)
    check_reachability(lab)
    check(current_spi(lab, "blue") == spi, "the group has another SA: nothing is shown")
    check(sender_id(lab, "site2") != old, f"site2 sends under Sender-ID {old} again")
    check(not old_keys & {state["keys"] for state in outbound(lab, "site2")},
          "site2 sends under an old key")


def foreign_state(lab, site, spi, source):
    key = "0x" + os.urandom(20).hex()
    lab.run(site, "ip", "xfrm", "state", "add", "src", source, "dst", address(lab, site), "proto",
            "esp", "spi", f"{spi:#x}", "reqid", "77", "mode", "tunnel", "aead",
            "rfc4106(gcm(aes))", key, "128")
    return key[2:]


def check_conflict(lab, name, site, spi, source):
    """A state of somebody else has the SPI that the site is to receive under."""
    lab.configure(site, f"no gsa member {name}")
    wait_until(lambda: not group_states(lab, site, name), STEP_S, f"{site} has left {name}")
    number = generation(lab, name)
    key = foreign_state(lab, site, spi, source)
    try:
        lab.configure(site, *lab.declared_block(site, f"gsa member {name}"))
        await_log(lab, site, "gcksd", name, f"{spi:08x}", "reqid 77")
        wait_until(lambda: generation(lab, name) > number, STEP_S, "the group has another SPI")
        converged(lab)
        check(spi & ~lab.sender_mask(name) != current_spi(lab, name), "the SPI is the same")
        kept = [state for state in lab.states(site) if state["reqid"] == 77]
        check(len(kept) == 1 and kept[0]["keys"] == (key,), "the foreign state was overwritten")
    finally:
        lab.run(site, "ip", "xfrm", "state", "delete", "dst", address(lab, site), "proto", "esp",
                "spi", f"{spi:#x}")
    converged(lab)
    await_alone(lab, name)
    check_reachability(lab)


@case("an SPI that is somebody else's at a member: told with both owners, kept, and resolved")
def conflict_pairwise(lab):
    (spi,) = {state["spi"] for state in inbound(lab, "site2")
              if state["source"] == address(lab, "site1")}
    check_conflict(lab, "blue", "site2", spi, address(lab, "site1"))


@case("the same with one SA for all")
def conflict_group(lab):
    check_conflict(lab, "red", "site4", current_spi(lab, "red"), "0.0.0.0")


@case("sharing group takes no AEAD cipher and says why; pairwise takes all")
def refused_configuration(lab):
    for cipher in ("aes256gcm16", "aes128gcm16", "chacha20poly1305"):
        text = lab.vtysh("sr", "configure terminal", "gsa group red", f"cipher {cipher}",
                         check=False)
        check("pairwise" in text, f"cipher {cipher} under sharing group: {text.strip()!r}")
    text = lab.vtysh("sr", "configure terminal", "gsa group blue", "cipher aes256gcm16",
                     "sharing group", check=False)
    check("pairwise" in text, f"sharing group with aes256gcm16: {text.strip()!r}")
    lab.configure("sr", "gsa group blue", "no cipher")
    check(len(made(lab, "red")) == 1, "red's SA went with a refused configuration")


if __name__ == "__main__":
    main()
