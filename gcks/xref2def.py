#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the definition file by which vtysh learns the commands of a program.

The commands come from the program's xref (FRR's xrelfo.py makes it from the ELF file), the
names of FRR's own nodes from vtysh's source, the program's own nodes from a JSON list of
{"name", "parent", "prompt", "section", "enter"} in the order of their numbers after
NODE_TYPE_MAX. `enter` is the command that enters the node. Lines, separated by tabs:

    daemon NAME
    node   NAME NODE PARENT PROMPT SECTION
    cmd    NAME NODE[,NODE] COMMAND DOC [ENTER]
"""

import argparse
import json
import re
import sys


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)


def node_numbers(source):
    """Name of each value of enum node_type, in order."""
    with open(f"{source}/lib/command.h", encoding="utf-8") as file:
        enum = re.search(r"enum\s+node_type\s+\{(.*?)\}", file.read(), re.S).group(1)
    return [name.split("=")[0].strip() for name in without_comments(enum).split(",") if name.strip()]


def node_names(source):
    """What vtysh calls each of them."""
    with open(f"{source}/vtysh/vtysh.c", encoding="utf-8") as file:
        text = without_comments(file.read())
    names = {"VIEW_NODE": "view", "ENABLE_NODE": "enable", "CONFIG_NODE": "config"}
    for body in re.findall(r"struct\s+cmd_node\s+\w+\s*=\s*\{(.*?)\}\s*;", text, re.S):
        name = re.search(r'\.name\s*=\s*"([^"]*)"', body)
        node = re.search(r"\.node\s*=\s*(\w+)", body)
        if name and node:
            names.setdefault(node.group(1), name.group(1))
    return names


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--daemon", required=True, help="vtysh's name of the process")
    parser.add_argument("--xref", required=True)
    parser.add_argument("--frr-source", required=True)
    parser.add_argument("--nodes", help="JSON list of the program's own nodes")
    options = parser.parse_args()

    order, names = node_numbers(options.frr_source), node_names(options.frr_source)
    nodes = {number: names[name] for number, name in enumerate(order) if name in names}
    enter = {}
    out = []
    if options.nodes:
        with open(options.nodes, encoding="utf-8") as file:
            own = json.load(file)
        for number, node in enumerate(own):
            nodes[order.index("NODE_TYPE_MAX") + number] = node["name"]
            enter[node["enter"]] = node["name"]
            out.append(["node", options.daemon, node["name"], node["parent"], node["prompt"],
                        node["section"]])
    with open(options.xref, encoding="utf-8") as file:
        commands = json.load(file)["cli"]
    for name, origins in sorted(commands.items()):
        for command in origins.values():
            where = [nodes[place["node"]] for place in command.get("nodes", [])
                     if place["node"] in nodes]
            if not where or ("nosh" in command.get("attrs", []) and name not in enter):
                continue
            line = ["cmd", options.daemon, ",".join(dict.fromkeys(where)),
                    " ".join(command["string"].split()), command["doc"].replace("\n", "\\n")]
            out.append(line + ([enter[name]] if name in enter else []))
    if not any(line[0] == "cmd" for line in out):
        sys.exit(f"xref2def: {options.xref} has no command of a known node")
    print("\t".join(["daemon", options.daemon]))
    for line in out:
        print("\t".join(line))


if __name__ == "__main__":
    main()
