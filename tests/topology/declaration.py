# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads a topology declaration (README.md) and works out names and addresses.

Nothing here touches the system: text in, `Topology` or `DeclarationError` out.
"""

import fnmatch
import itertools
import os
import re
import tomllib
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

FOLDER = os.path.dirname(os.path.abspath(__file__))

KINDS = ("provider", "sr", "gateway", "host")
CREDENTIALS = ("certificate", "psk", "public-key", "eap")
# Leaves of YANG, and their commands in the order in which gcksd writes them.
GROUP_LEAVES = {
    "sharing": "sharing", "cipher": "cipher",
    "activation-delay": "activation-delay", "deactivation-delay": "deactivation-delay",
    "lifetime-data": "lifetime data", "sender-id-bits": "sender-id-bits",
    "rekey-on-join": "rekey on-join", "rekey-on-leave": "rekey on-leave",
    "rekey-in-flight": "rekey in-flight", "rekey-missed-maximum": "rekey missed-maximum",
    "maximum-members": "maximum-members",
}
MEMBER_LEAVES = {"retry-time": "retry-time", "mode": "mode", "initial-exchange": "initial-exchange"}
FAULTS = ("certificate", "psk", "identity", "credential", "group")

# The provider's links come out of 198.18.0.0/16 and the LANs out of 10.0.0.0/8; node
# number N has 198.18.N.2 and 10.N.0.0/24 as long as N < 256.
LINKS = IPv4Address("198.18.0.0")
LANS = IPv4Address("10.0.0.0")


class DeclarationError(Exception):
    pass


@dataclass
class Interface:
    name: str
    address: IPv4Interface


@dataclass
class Link:
    """A veth pair between two nodes, each with the name of its end there."""
    ends: tuple  # ((node name, Interface), (node name, Interface))


@dataclass
class Node:
    name: str
    kind: str
    number: int
    as_number: int = 0
    behind: str = ""                 # host: its gateway
    address: IPv4Address = None      # towards the provider; host: in its LAN
    lan: IPv4Network = None          # gateway
    networks: list = field(default_factory=list)    # ordinary BGP routes without a group
    interfaces: list = field(default_factory=list)
    dummies: list = field(default_factory=list)     # further LANs without hosts
    frr: str = ""                    # appended to the generated frr.conf
    swanctl: str = ""                # appended to the generated swanctl.conf


@dataclass
class Membership:
    """One node in one group, as the member's side is configured."""
    node: str
    group: str
    identity: str
    connection: str                  # swanctl connection: the group's, or another group's
    export: str = "connected"        # or a list of prefixes
    fault: str = ""                  # one of FAULTS: what the key server must refuse it for
    key_servers: list = None         # nodes, or addresses where nobody is, in order
    leaves: dict = field(default_factory=dict)      # of MEMBER_LEAVES

    @property
    def name(self):
        return f"{self.node}/{self.group}"


@dataclass
class Connection:
    """A swanctl connection of a member to a key server."""
    name: str
    address: str
    peer: str                        # the key server's name


@dataclass
class Group:
    name: str
    identifier: int
    served: bool                     # else the key server does not know it
    credential: str
    permit: list
    deny: list
    protect: list
    members: list                    # of Membership, faulty ones too
    leaves: dict                     # of GROUP_LEAVES
    options: list                    # further lines of the key server's group
    member_options: list             # further lines of each member

    @property
    def sharing(self):
        """Or "", gcksd's default."""
        return self.leaves.get("sharing", "pairwise")

    @property
    def sites(self):
        return [member.node for member in self.members if not member.fault]


@dataclass
class Tunnel:
    """An ordinary site-to-site CHILD_SA, PSK, beside the groups."""
    name: str
    ends: tuple      # two node names
    subnets: tuple   # of IPv4Network


@dataclass
class Topology:
    name: str
    nodes: dict
    links: list
    groups: dict
    tunnels: list
    retransmit: dict

    def of_kind(self, *kinds):
        return [node for node in self.nodes.values() if node.kind in kinds]

    @property
    def gateways(self):
        return self.of_kind("gateway")

    @property
    def key_server(self):
        return self.of_kind("sr")[0]

    def memberships(self, node, with_faults=False):
        return [member for group in self.groups.values() for member in group.members
                if member.node == node and (with_faults or not member.fault)]

    def connections(self, member):
        """What it registers over, in order: that of the S/R has the group's name."""
        for owner in self.memberships(member.node, with_faults=True):
            if owner.group == member.connection:
                break
        else:
            return [Connection(member.connection, "", "")]
        found = []
        for number, server in enumerate(owner.key_servers or [self.key_server.name], 1):
            node = self.nodes.get(server)
            name = owner.group if node is self.key_server else f"{owner.group}-{number}"
            found.append(Connection(name, str(node.address if node else server),
                                    server if node else "nobody"))
        return found

    def groups_of(self, node):
        return [self.groups[member.group] for member in self.memberships(node)]

    def hosts_behind(self, gateway):
        return [node for node in self.of_kind("host") if node.behind == gateway]

    def shared_groups(self, one, other):
        return [group for group in self.groups.values()
                if one in group.sites and other in group.sites]

    def reachable(self, host, other):
        """Whether two hosts are to reach each other: their sites share a group or a tunnel."""
        one, two = self.nodes[host].behind, self.nodes[other].behind
        if one == two or self.shared_groups(one, two):
            return True
        return any(set(tunnel.ends) == {one, two} and self.nodes[one].lan in tunnel.subnets
                   for tunnel in self.tunnels)

    def runs_frr(self, node):
        return self.nodes[node].kind in ("sr", "gateway") and bool(self.nodes[node].as_number)

    def runs_charon(self, node):
        return self.runs_frr(node) or any(node in tunnel.ends for tunnel in self.tunnels)


def find(name):
    """Path of a declaration: a name of this folder or a path."""
    path = name if "/" in name else os.path.join(FOLDER, f"{name}.toml")
    if not os.path.exists(path):
        known = sorted(file[:-5] for file in os.listdir(FOLDER) if file.endswith(".toml"))
        raise DeclarationError(f"no topology '{name}'; there are: {', '.join(known)}")
    return path


def load(name):
    """`name` may set values of the declaration: `mesh:nodes.site.count=32,nodes.host.count=32`."""
    name, _, settings = name.partition(":")
    path = find(name)
    with open(path, "rb") as file:
        try:
            text = tomllib.load(file)
        except tomllib.TOMLDecodeError as error:
            raise DeclarationError(f"{path}: {error}") from None
    for setting in filter(None, settings.split(",")):
        apply_setting(text, setting)
    stem = os.path.splitext(os.path.basename(path))[0]
    try:
        return read(stem, text)
    except DeclarationError as error:
        raise DeclarationError(f"{path}: {error}") from None


def apply_setting(text, setting):
    key, equals, value = setting.partition("=")
    *tables, leaf = key.split(".")
    if not equals or not leaf:
        raise DeclarationError(f"'{setting}' is not of the form table.key=value")
    for table in tables:
        text = text.setdefault(table, {})
    try:
        text[leaf] = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        text[leaf] = value


def take(table, where, **defaults):
    """The table's values over the defaults; an unknown key is an error."""
    unknown = set(table) - set(defaults)
    if unknown:
        raise DeclarationError(f"{where}: unknown key '{min(unknown)}'; known are "
                               + ", ".join(sorted(defaults)))
    return {**defaults, **table}


def read(name, text):
    text = take(text, "top level", nodes={}, groups={}, tunnels=[], retransmit={})
    nodes = {}
    for key, table in text["nodes"].items():
        for node in read_nodes(key, table):
            if node.name in nodes:
                raise DeclarationError(f"nodes: '{node.name}' is declared twice")
            nodes[node.name] = node
    links = connect(nodes)
    groups = {key: read_group(key, table, nodes) for key, table in text["groups"].items()}
    if groups and not any(node.kind == "sr" for node in nodes.values()):
        raise DeclarationError("groups need a node of kind 'sr'")
    tunnels = list(itertools.chain.from_iterable(
        read_tunnels(table, nodes) for table in text["tunnels"]))
    retransmit = take(text["retransmit"], "retransmit", timeout=1.0, base=1.4, tries=4)
    return Topology(name, nodes, links, groups, tunnels, retransmit)


def read_nodes(key, table):
    where = f"nodes.{key}"
    table = take(table, where, kind="", count=0, number=0, behind="", networks=[],
                 frr="", swanctl="", **{"as": 0})
    if table["kind"] not in KINDS:
        raise DeclarationError(f"{where}: kind '{table['kind']}' is none of {', '.join(KINDS)}")
    numbers = range(1, table["count"] + 1) if table["count"] else [table["number"]]
    for number in numbers:
        node = Node(f"{key}{number}" if table["count"] else key, table["kind"], number,
                    frr=table["frr"], swanctl=table["swanctl"])
        if node.kind in ("sr", "gateway"):
            # 0 is for a gateway without BGP, a template counts up
            node.as_number = table["as"] + number if table["count"] and table["as"] else table["as"]
        node.networks = [IPv4Network(network.format(number)) for network in table["networks"]]
        if node.kind == "host":
            node.behind = table["behind"] + (str(number) if table["count"] else "")
        yield node


def connect(nodes):
    """Links, interfaces and addresses: each gateway and S/R to the provider, hosts behind."""
    links = []
    providers = [node for node in nodes.values() if node.kind == "provider"]
    if len(providers) != 1:
        raise DeclarationError("exactly one node of kind 'provider' is needed")
    provider = providers[0]

    def link(one, one_end, other, other_end):
        one.interfaces.append(one_end)
        other.interfaces.append(other_end)
        links.append(Link(((one.name, one_end), (other.name, other_end))))

    for node in nodes.values():
        high, low = divmod(node.number, 256)
        if node.kind in ("sr", "gateway"):
            base = LINKS + (low << 8) + 4 * high
            node.address = base + 2
            link(node, Interface("wan", IPv4Interface((node.address, 30))),
                 provider, Interface(node.name, IPv4Interface((base + 1, 30))))
        if node.kind == "gateway":
            node.lan = IPv4Network((LANS + (low << 16) + (high << 8), 24))
    for node in nodes.values():
        if node.kind != "host":
            continue
        gateway = nodes.get(node.behind)
        if gateway is None or gateway.kind != "gateway":
            raise DeclarationError(f"nodes.{node.name}: '{node.behind}' is not a gateway")
        count = sum(1 for entry in links if entry.ends[1][0] == gateway.name)
        if count:
            raise DeclarationError(f"nodes.{node.name}: {gateway.name} has a host already")
        node.address = gateway.lan[2]
        link(node, Interface("eth0", IPv4Interface((node.address, 24))),
             gateway, Interface("lan", IPv4Interface((gateway.lan[1], 24))))
    return links


def read_group(key, table, nodes):
    where = f"groups.{key}"
    table = take(table, where, **{"key-servers": None}, identifier=0, served=True, credential="",
                 permit=[f"*.{key}.example"], deny=[], protect=["10.0.0.0/8"], members=[],
                 options=[], member_options=[], member={},
                 **dict.fromkeys(GROUP_LEAVES), **dict.fromkeys(MEMBER_LEAVES))
    if not 0 < table["identifier"] < 1 << 32:
        raise DeclarationError(f"{where}: identifier {table['identifier']} is not in 1..2^32-1")
    if table["credential"] not in CREDENTIALS:
        raise DeclarationError(f"{where}: credential '{table['credential']}' is none of "
                               + ", ".join(CREDENTIALS))
    names = []
    for pattern in table["members"]:
        found = [name for name in nodes if fnmatch.fnmatchcase(name, pattern)]
        if not found:
            raise DeclarationError(f"{where}: no node is called '{pattern}'")
        names += [name for name in found if name not in names]
    members = [read_member(key, name, table, nodes) for name in names]
    if table["member"]:
        raise DeclarationError(f"{where}.member: '{min(table['member'])}' is not a member")
    return Group(key, table["identifier"], table["served"], table["credential"], table["permit"],
                 table["deny"], table["protect"], members, given(table, GROUP_LEAVES),
                 table["options"], table["member_options"])


def read_member(group, name, table, nodes):
    """One member of a group, whose `table` says what holds for all."""
    where = f"groups.{group}.member.{name}"
    common = given(table, MEMBER_LEAVES) | {"key-servers": table["key-servers"]}
    special = take(table["member"].pop(name, {}), where, identity=f"{name}.{group}.example",
                   connection=group, export="connected",
                   fault="" if table["served"] else "group",
                   **dict.fromkeys(MEMBER_LEAVES) | common)
    if nodes[name].kind != "gateway":
        raise DeclarationError(f"{where}: member '{name}' is not a gateway")
    if special["fault"] and special["fault"] not in FAULTS:
        raise DeclarationError(f"{where}: fault '{special['fault']}' is none of "
                               + ", ".join(FAULTS))
    for server in special["key-servers"] or ():
        check_key_server(where, server, nodes)
    return Membership(name, group, special["identity"], special["connection"], special["export"],
                      special["fault"], special["key-servers"], given(special, MEMBER_LEAVES))


def check_key_server(where, server, nodes):
    if server in nodes:
        if nodes[server].kind != "sr":
            raise DeclarationError(f"{where}: key server '{server}' is not of kind sr")
        return
    try:
        IPv4Address(server)
    except ValueError:
        raise DeclarationError(f"{where}: key server '{server}' is neither a node nor an address") \
            from None


def given(table, leaves):
    return {leaf: table[leaf] for leaf in leaves if table[leaf] is not None}


def read_tunnels(table, nodes):
    """`between`: two nodes, or one pattern for a full mesh."""
    table = take(table, "tunnels", between=[], subnets=[])
    between = table["between"]
    if isinstance(between, str):
        names = [name for name in nodes if fnmatch.fnmatchcase(name, between)]
        pairs = itertools.combinations(names, 2)
    else:
        pairs = [tuple(between)]
    for pair in pairs:
        if len(pair) != 2 or any(name not in nodes or nodes[name].kind != "gateway"
                                 for name in pair):
            raise DeclarationError(f"tunnels: {list(pair)} are not two gateways")
        subnets = tuple(IPv4Network(subnet) for subnet in table["subnets"])
        if subnets:
            for name, subnet in zip(pair, subnets, strict=True):
                end = Interface(f"net{len(nodes[name].dummies) + 1}",
                                IPv4Interface((subnet[1], subnet.prefixlen)))
                nodes[name].dummies.append(end)
        yield Tunnel("-".join(pair), pair, subnets or tuple(nodes[name].lan for name in pair))


def natural(name):
    """Sort key: site2 before site10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
