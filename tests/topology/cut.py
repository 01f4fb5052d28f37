# SPDX-License-Identifier: GPL-2.0-or-later
"""Cuts a node off: the provider drops its packets, all or those between it and one other node.
Nothing at the node itself changes: no link goes down, no route leaves, no call fails.
"""

import contextlib
import subprocess

PROVIDER = "provider"


def traffic_control(*words):
    run = subprocess.run(["tc", "-n", PROVIDER, *words], text=True, check=False,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if run.returncode != 0:
        raise OSError(f"tc {' '.join(words)}: {run.stdout.strip()}")


@contextlib.contextmanager
def cut_off(lab, name, other=None):
    """Between a node and everybody, or one other node, until the end of the block."""
    from_it = to_it = ["matchall"]
    if other:
        address = str(lab.topology.nodes[other].address)
        from_it, to_it = ["flower", "dst_ip", address], ["flower", "src_ip", address]
    # the provider's interface has the node's name
    traffic_control("qdisc", "add", "dev", name, "clsact")
    try:
        for direction, match in (("ingress", from_it), ("egress", to_it)):
            traffic_control("filter", "add", "dev", name, direction, "protocol", "ip", *match,
                            "action", "drop")
        yield
    finally:
        traffic_control("qdisc", "del", "dev", name, "clsact")
