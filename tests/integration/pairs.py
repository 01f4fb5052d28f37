# SPDX-License-Identifier: GPL-2.0-or-later
"""Statements about the states of a group's pairs in a site's kernel."""

import re

from harness import check
from rekeying import group_states


def address(lab, node):
    return str(lab.topology.nodes[node].address)


def outbound(lab, site, name="blue"):
    return [state for state in group_states(lab, site, name)
            if state["source"] == address(lab, site)]


def inbound(lab, site, name="blue"):
    return [state for state in group_states(lab, site, name)
            if state["destination"] == address(lab, site)]


def delete(lab, site, state):
    lab.run(site, "ip", "xfrm", "state", "delete", "src", state["source"], "dst",
            state["destination"], "proto", "esp", "spi", f"{state['spi']:#x}")


def sender_ids(lab, site):
    """Those that it has outbound states of: two, while one takes the place of another."""
    return {state["spi"] & 0xffff for state in outbound(lab, site)}


def sender_id(lab, site):
    found = sender_ids(lab, site)
    check(len(found) == 1, f"{site} sends under the Sender-IDs {found}")
    return found.pop()


def keys(lab, site, name="blue"):
    return {state["keys"] for state in group_states(lab, site, name)}


def replay_counters(lab, site):
    """(XfrmInStateSeqError, sum of the states' own replay counters)"""
    errors = lab.run(site, "cat", "/proc/net/xfrm_stat")
    errors = int(re.search(r"^XfrmInStateSeqError\s+(\d+)", errors, re.MULTILINE).group(1))
    text = lab.run(site, "ip", "-s", "xfrm", "state")
    return errors, sum(map(int, re.findall(r"replay-window \d+ replay (\d+) failed", text)))
