# SPDX-License-Identifier: GPL-2.0-or-later
"""Statements about the generations of a group's SAs."""

from harness import check, wait_until
from topology import vty

REKEY_S = 40


def command(lab, node, line):
    """A line to gcksd, without the time that vtysh takes."""
    return vty.command(lab.supervisor.socket_of(node, "gcksd"), line)


def group(lab, name):
    """The key server's view."""
    for entry in lab.show(lab.topology.key_server.name, "show gsa group")["group"]:
        if entry["name"] == name:
            return entry
    check(False, f"the S/R has no group {name}")
    return None


def generation(lab, name):
    return group(lab, name).get("generation", 0)


def made(lab, name):
    """The SAs of a group that the key server holds, newest last."""
    entries = lab.show(lab.topology.key_server.name, "show gsa sa")["sa"]
    return sorted((entry for entry in entries
                   if entry["group"] == name and entry["role"] == "key-server"),
                  key=lambda entry: entry["generation"])


def registrations(lab, name):
    return [entry for entry in lab.registrations() if entry["group"] == name]


def behind(lab, name):
    """Registrations that do not hold the newest SA."""
    return [entry for entry in registrations(lab, name) if entry["delivery"] != "current"]


def await_generation(lab, name, number, deadline_s=REKEY_S):
    """The key server has made that generation, or a later one, and every member holds it."""
    wait_until(lambda: generation(lab, name) >= number and not behind(lab, name), deadline_s,
               f"generation {number} of {name} is delivered",
               diagnose=lambda: f"{group(lab, name)}\n{registrations(lab, name)}")


def await_alone(lab, name, without="", deadline_s=REKEY_S):
    """Only the newest SA is left, at the key server and in the kernels of all sites but one."""
    wait_until(lambda: len(made(lab, name)) == 1, deadline_s,
               f"the old SAs of {name} are gone", diagnose=lambda: made(lab, name))
    for site in lab.topology.groups[name].sites:
        if site == without:
            continue
        wait_until(lambda site=site: spis(lab, site, name) == {current_spi(lab, name)}, deadline_s,
                   f"{site} holds the newest SA of {name} alone",
                   diagnose=lambda site=site: f"{spis(lab, site, name)}, not "
                   f"{current_spi(lab, name)}\n{lab.member(site, name)}")


def current_spi(lab, name):
    return int(made(lab, name)[-1]["spi"], 16)


def spis(lab, site, name):
    """Of the group's SAs, as the states in a kernel have them; `pairwise`: without Sender-ID."""
    return {state["spi"] & ~lab.sender_mask(name) for state in group_states(lab, site, name)}


def group_states(lab, site, name):
    return [state for state in lab.states(site) if state["group"] == name]


def rekey(lab, name):
    """By hand; returns the generation that comes of it."""
    before = generation(lab, name)
    command(lab, lab.topology.key_server.name, f"gsa rekey group {name}")
    wait_until(lambda: generation(lab, name) > before, REKEY_S, f"a new SA of {name}")
    return generation(lab, name)


def rekey_through(lab, name):
    """By hand, to its end: the old SA is gone everywhere."""
    number = rekey(lab, name)
    await_generation(lab, name, number)
    await_alone(lab, name)
    return number


def drops(lab):
    """{(node, what): count} of what kernels have dropped, as they say it themselves."""
    found = {}
    for node in lab.topology.nodes.values():
        if node.kind == "gateway":
            for line in lab.run(node.name, "cat", "/proc/net/xfrm_stat").splitlines():
                name, count = line.split()
                found[node.name, name] = int(count)
        for line in lab.run(node.name, "cat", "/proc/net/dev").splitlines()[2:]:
            name, _, numbers = line.partition(":")
            fields = numbers.split()
            found[node.name, f"{name.strip()} received, dropped"] = int(fields[3])
            found[node.name, f"{name.strip()} sent, dropped"] = int(fields[11])
        for line in lab.run(node.name, "cat", "/proc/net/raw").splitlines()[1:]:
            found[node.name, f"raw socket {line.split()[9]}"] = int(line.split()[-1])
    return found


def check_no_loss(flows, start, end):
    """Not one probe of an interval was lost; how many there were."""
    total, lost = 0, {}
    for flow in flows:
        _, sent = flow.lost_between(start, end)
        check(sent > 0, f"{flow}: nothing was sent")
        total += sent
        missing = [round(flow.sent[number] - start, 2) for number in range(len(flow.sent))
                   if start <= flow.sent[number] < end and number not in flow.answered]
        if missing:
            lost[str(flow)] = missing
    check(not lost, lambda: f"of {total} probes these were lost, in seconds after the start: {lost}")
    return total
