#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# topology: path-mtu
#
#   host1 ── site1 ── provider ── site2 ── host2        blue: site1 site2
#                        │
#                        sr
"""Large packets LAN to LAN: what fits is what `show gsa member` says, hosts are told when it
does not, fragments arrive where they may be made, and the outer header says what the inner does."""

import re
from ipaddress import IPv4Interface

from harness import case, check, main, wait_until
from observe import check_esp_seen, check_flows_undisturbed, still_answering
from topology import ping
from topology.capture import ESP, Capture

STEP_S = 30
LINK, NARROW = 1500, 1400
ECHO_HEADERS = 28           # IPv4 and ICMP
MAXIMUM = 65535
SITES = ("site1", "site2")


def told(lab, site):
    """The MTU that a site tells of its only route."""
    routes = lab.member(site, "blue")["route"]
    check(len(routes) == 1, f"{site} has {routes}")
    return routes[0].get("mtu")


def echo(lab, source, target, size, *options):
    """ping's output for one packet of `size` octets; the size is that of the whole packet."""
    address = str(lab.topology.nodes[target].address)
    # or the host's own kernel answers by what it was told before
    lab.run(source, "ip", "route", "flush", "cache")
    return lab.run(source, "ping", "-n", "-c", "1", "-W", "2", "-s", str(size - ECHO_HEADERS),
                   *options, address, check=False)


def arrives(output):
    return "1 received" in output


def check_exact(lab, mtu):
    """One octet decides, both ways."""
    for source, target, site in (("host1", "host2", "site1"), ("host2", "host1", "site2")):
        output = echo(lab, source, target, mtu, "-M", "do")
        check(arrives(output), f"{mtu} octets from {source} do not arrive: {output}")
        output = echo(lab, source, target, mtu + 1, "-M", "do")
        check(not arrives(output), f"{mtu + 1} octets from {source} arrive in one piece")
        found = re.search(r"From (\S+) .*[Ff]rag needed.*mtu ?= ?(\d+)", output)
        check(found, f"{source} is not told why: {output}")
        check(found.group(1) == str(lab.topology.nodes[site].lan[1]), f"told by {output}")
        check(int(found.group(2)) == mtu, f"{source} is told {found.group(2)}, shown is {mtu}")


def counters(lab, site):
    """{name: value} of the kernel's counters of what IPsec dropped."""
    text = lab.run(site, "cat", "/proc/net/xfrm_stat")
    return {name: int(value) for name, value in (line.split() for line in text.splitlines())}


def check_nothing_dropped(lab, before):
    for site, was in before.items():
        now = counters(lab, site)
        check(now == was, lambda: f"{site} dropped: "
              f"{ {name: now[name] - was[name] for name in now if now[name] != was[name]} }")


def all_counters(lab):
    return {site: counters(lab, site) for site in SITES}


@case("the largest packet that fits is the one that is shown; one octet more: hosts are told")
def whole_link(lab):
    before = all_counters(lab)
    mtu = told(lab, "site1")
    check(mtu == told(lab, "site2"), f"the other way it is {told(lab, 'site2')}, not {mtu}")
    check(LINK - 80 < mtu < LINK, f"{mtu} octets through a path of {LINK}")
    check_exact(lab, mtu)
    check_nothing_dropped(lab, before)


def set_links(lab, *metrics):
    """The provider's ways to the sites; what comes over the links has its full size."""
    for site in SITES:
        network = IPv4Interface((lab.topology.nodes[site].address, 30)).network
        lab.run("provider", "ip", "route", "replace", str(network), "dev", site, "src",
                str(network[1]), *metrics)


@case("a narrower link on the way: the path is found, shown, and hosts are told")
def narrow_link(lab):
    before = all_counters(lab)
    wide = told(lab, "site1")
    set_links(lab, "mtu", "lock", str(NARROW))
    for source, target, site in (("host1", "host2", "site1"), ("host2", "host1", "site2")):
        # the provider tells the gateway, the gateway tells the host
        wait_until(lambda source=source, target=target:
                   "rag needed" in echo(lab, source, target, wide, "-M", "do"), STEP_S,
                   f"{source} is told", diagnose=lambda site=site: lab.member(site, "blue"))
        check(told(lab, site) < NARROW, f"{site} shows {told(lab, site)}")
    narrow = told(lab, "site1")
    check(narrow == told(lab, "site2"), f"{narrow} and {told(lab, 'site2')}")
    check(wide - narrow in range(LINK - NARROW - 15, LINK - NARROW + 16),
          f"{wide} before, {narrow} now")
    check_exact(lab, narrow)
    check_nothing_dropped(lab, before)


@case("without DF packets of every size arrive over the narrow link, in fragments of ESP")
def fragments(lab):
    before = all_counters(lab)
    with Capture(lab, "provider", "fragments") as capture:
        for size in (told(lab, "site1"), told(lab, "site1") + 1, LINK, 4000, 20000, MAXIMUM):
            for source, target in (("host1", "host2"), ("host2", "host1")):
                output = echo(lab, source, target, size, "-M", "dont")
                check(arrives(output), f"{size} octets from {source} do not arrive: {output}")
    check_esp_seen(capture)
    check_inside(lab, capture)
    check(any(packet.protocol == ESP and packet.data[6] & 0x20 for packet in capture.packets),
          "no fragment was captured")
    check_nothing_dropped(lab, before)


def check_inside(lab, capture):
    """No address of a LAN, inside or outside of an ICMP error, crossed the provider."""
    hosts = [node.address.packed for node in lab.topology.of_kind("host")]
    for packet in capture.packets:
        if packet.protocol != ESP:
            check(not any(host in packet.data for host in hosts), f"in clear: {packet}")


@case("the outer header has the inner one's DSCP and DF; the inner one arrives as it was sent")
def outer_header(lab):
    before = all_counters(lab)
    with Capture(lab, "host2", "inner") as inner, Capture(lab, "provider", "outer") as outer:
        marks = [(dscp << 2, df) for dscp in (0, 10, 26, 46, 56) for df in ("do", "dont")]
        for tos, df in marks:
            check(arrives(echo(lab, "host1", "host2", 200, "-M", df, "-Q", str(tos))),
                  f"a packet of type of service {tos} and -M {df} does not arrive")
    expected = [(tos, df == "do") for tos, df in marks]
    addresses = {name: node.address for name, node in lab.topology.nodes.items()}
    found = [(packet.data[1], bool(packet.data[6] & 0x40)) for packet in outer.packets
             if (packet.protocol, packet.source, packet.destination)
             == (ESP, addresses["site1"], addresses["site2"])]
    # the provider sees each packet twice, coming and going
    check(found == [mark for mark in expected for _ in range(2)], f"outer: {found}")
    found = [(packet.data[1], bool(packet.data[6] & 0x40)) for packet in inner.packets
             if (packet.source, packet.destination) == (addresses["host1"], addresses["host2"])]
    check(found == expected, f"inner: {found}")
    check_nothing_dropped(lab, before)


@case("traffic goes on while the path changes, and the old size is back with the path")
def and_back(lab):
    narrow = told(lab, "site1")
    flows = lab.host_flows()
    with ping.Traffic(flows) as traffic:
        wait_until(lambda: all(still_answering(flow) for flow in flows), STEP_S, "traffic flows")
        start = flows[0].sent[-1]
        set_links(lab)
        for site in SITES:
            # what the kernel had learnt lasts for ten minutes
            lab.run(site, "ip", "route", "flush", "cache")
        wait_until(lambda: told(lab, "site1") > narrow and told(lab, "site2") > narrow, STEP_S,
                   "the path is wide again", diagnose=lambda: lab.members("site1"))
        wait_until(lambda: all(still_answering(flow) for flow in flows), STEP_S, "traffic flows")
        end = flows[0].sent[-1]
        traffic.stop()
    check_flows_undisturbed(flows, start, end)
    check_exact(lab, told(lab, "site1"))


if __name__ == "__main__":
    main()
