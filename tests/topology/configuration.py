# SPDX-License-Identifier: GPL-2.0-or-later
"""Generates what an operator would write: frr.conf, swanctl.conf, strongswan.conf."""

import os

from . import credentials, namespaces
from .declaration import GROUP_LEAVES, MEMBER_LEAVES

CHARON_PLUGIN_SKIP = ("rc2", "counters", "resolve")
IKE_PROPOSAL = "aes256gcm16-prfsha256-ecp256"
# A registration needs a key wrap algorithm; a key server serves other peers, too.
MEMBER_PROPOSAL = f"{IKE_PROPOSAL}-kw5649_256"
KEY_SERVER_PROPOSALS = f"{MEMBER_PROPOSAL}-kw5649_192-kw5649_128,{IKE_PROPOSAL}"
# The peer's death is noticed in about ten seconds; nothing else of the lab is that fast.
DPD_DELAY_S = 2


def write(path, text, mode=0o600):
    with open(path, "w", encoding="ascii", opener=lambda name, flags: os.open(name, flags, mode)) \
            as file:
        file.write(text)


def generate(topology, plugin_folder, vtysh_definitions):
    """Configuration and credentials of every node, into its folder below $LAB_RUN."""
    swanctl = Swanctl(topology)
    for node in topology.of_kind("sr", "gateway"):
        etc = os.path.join(namespaces.folder(node.name), "etc")
        if topology.runs_frr(node.name):
            write(f"{etc}/frr/frr.conf", frr(topology, node))
            # no PAM: what vtysh would ask it has no file on a machine without FRR's package
            write(f"{etc}/frr/vtysh.conf",
                  "service integrated-vtysh-config\nusername root nopassword\n")
            if os.path.isdir(vtysh_definitions):
                namespaces.copy_into(node.name, vtysh_definitions, "etc/frr/vtysh.d")
        if topology.runs_charon(node.name):
            write(f"{etc}/strongswan.conf", strongswan(topology, plugin_folder))
            write(f"{etc}/swanctl/swanctl.conf", swanctl.text(node))


# FRR

def frr(topology, node):
    lines = ["frr defaults traditional", f"hostname {node.name}",
             "ip nht resolve-via-default", "!"]
    if node.kind == "sr":
        for group in topology.groups.values():
            lines += group_lines(group) if group.served else []
    for member in topology.memberships(node.name, with_faults=True):
        lines += member_lines(topology, node, topology.groups[member.group], member)
    if node.as_number:
        lines += bgp_lines(topology, node)
    return "\n".join(lines + node.frr.splitlines()) + "\n"


def group_lines(group):
    credential = group.credential
    if credential == "certificate":
        credential += f' ca "{credentials.ca_subject(group.name)}"'
    return [f"gsa group {group.name}", f" identifier {group.identifier}",
            f" credential {credential}",
            *[f" permit identity {identity}" for identity in group.permit],
            *[f" deny identity {identity}" for identity in group.deny],
            *leaf_lines(group.leaves, GROUP_LEAVES),
            *[f" {option}" for option in group.options], "exit", "!"]


def leaf_lines(leaves, commands):
    """A leaf that is true is its command alone, one that is false `no` of it."""
    for leaf, command in commands.items():
        value = leaves.get(leaf)
        if isinstance(value, bool):
            yield f" {command}" if value else f" no {command}"
        elif value is not None:
            yield f" {command} {value}"


def member_lines(topology, node, group, member):
    lines, export = [], member.export
    if export != "connected":
        export = f"prefix-list {group.name}"
        lines = [f"ip prefix-list {group.name} seq {5 * number} permit {prefix}"
                 for number, prefix in enumerate(member.export, 1)] + ["!"]
    return lines + [f"gsa member {group.name}",
                    *[f" key-server connection {connection.name}"
                      for connection in topology.connections(member)],
                    f" local-gateway {node.address}",
                    *[f" protect {prefix}" for prefix in group.protect],
                    f" export {export}",
                    *leaf_lines(member.leaves, MEMBER_LEAVES),
                    *[f" {option}" for option in group.member_options], "exit", "!"]


def bgp_lines(topology, node):
    others = [other for other in topology.of_kind("sr", "gateway")
              if topology.runs_frr(other.name) and (node.kind == "sr") != (other.kind == "sr")]
    lines = [f"router bgp {node.as_number}", f" bgp router-id {node.address}",
             " no bgp ebgp-requires-policy", " no bgp default ipv4-unicast",
             # the S/R's restart is not to cut traffic
             " bgp graceful-restart", " bgp graceful-restart preserve-fw-state"]
    # nor what it announces before all members have told it their routes again
    lines += [" update-delay 30 10"] if node.kind == "sr" else []
    lines += [" gsa"] if topology.groups else []
    for other in others:
        lines += [f" neighbor {other.address} remote-as {other.as_number}",
                  f" neighbor {other.address} description {other.name}",
                  f" neighbor {other.address} ebgp-multihop 2",
                  f" neighbor {other.address} timers connect 1"]
    lines += [" address-family ipv4 unicast"]
    lines += [f"  network {network}" for network in node.networks]
    lines += [f"  neighbor {other.address} activate" for other in others]
    return lines + [" exit-address-family", "exit", "!"]


# strongSwan

def strongswan(topology, plugin_folder):
    names = sorted(file[len("libstrongswan-"):-len(".so")] for file in os.listdir(plugin_folder)
                   if file.startswith("libstrongswan-") and file.endswith(".so"))
    plugins = "".join(f"    {name} {{\n      load = yes\n    }}\n" for name in names
                      if name not in CHARON_PLUGIN_SKIP)
    retransmit = topology.retransmit
    return f"""charon {{
  load_modular = yes
  install_routes = no
  retransmit_timeout = {retransmit['timeout']}
  retransmit_base = {retransmit['base']}
  retransmit_tries = {retransmit['tries']}
  filelog {{
    charon {{
      path = /var/log/charon.log
      time_format = %b %e %T
      ike_name = yes
      default = 1
      flush_line = yes
    }}
  }}
  plugins {{
{plugins}  }}
}}
swanctl {{
  load = pem pkcs1 pkcs8 x509 openssl random nonce pubkey
}}
"""


class Swanctl:
    """The swanctl.conf of each node, with certificates and keys beside it."""

    def __init__(self, topology):
        self.topology = topology
        self.folder = os.path.join(os.environ["LAB_RUN"], "credentials")
        self.authorities = {}
        self.secrets = {member.name: credentials.psk() for group in topology.groups.values()
                        for member in group.members}
        self.secrets |= {tunnel.name: credentials.psk() for tunnel in topology.tunnels}

    def authority(self, group, stranger=False):
        key = (group, stranger)
        if key not in self.authorities:
            self.authorities[key] = credentials.Authority(self.folder, group, stranger)
        return self.authorities[key]

    def text(self, node):
        connections, secrets = [], []
        if node.kind == "sr":
            for group in self.topology.groups.values():
                self.key_server(node, group, connections, secrets)
        for member in self.topology.memberships(node.name, with_faults=True):
            if member.connection == member.group:
                self.member(node, self.topology.groups[member.group], member, connections, secrets)
        for tunnel in self.topology.tunnels:
            if node.name in tunnel.ends:
                self.tunnel(node, tunnel, connections, secrets)
        return (f"connections {{\n{''.join(connections)}}}\n"
                f"secrets {{\n{''.join(secrets)}}}\n{node.swanctl}")

    def key_server(self, node, group, connections, secrets):
        local = self.own_key_server(node, group)
        members = [member for member in group.members if member.connection == group.name]
        if group.credential == "public-key":
            # a raw key says nothing of its owner: each member's goes with its identity
            connections += [connection(f"{group.name}-{member.node}", node.address, None, local,
                                       ["auth = pubkey", f"id = {member.identity}",
                                        self.public_key(node, group, member.node)])
                            for member in members]
            return
        remote = {"certificate": ["auth = pubkey", f"cacerts = {group.name}-ca.pem"],
                  "psk": ["auth = psk"], "eap": ["auth = eap-mschapv2"]}[group.credential]
        connections.append(connection(group.name, node.address, None, local, remote))
        if group.credential in ("psk", "eap"):
            kind = "ike" if group.credential == "psk" else "eap"
            secrets += [secret(f"{group.name}-{member.node}", [member.identity],
                               self.secrets[member.name], kind) for member in members]

    def own_key_server(self, node, group):
        """How a key server proves its identity; members that use EAP need its certificate."""
        identity = key_server_identity(node.name, group)
        if group.credential == "psk":
            return ["auth = psk", f"id = {identity}"]
        if group.credential == "public-key":
            return ["auth = pubkey", f"id = {identity}", self.key_pair(node, group)]
        return ["auth = pubkey", f"id = {identity}", self.certificate(node, group, identity)]

    def member(self, node, group, member, connections, secrets):
        for entry in self.topology.connections(member):
            peer = key_server_identity(entry.peer, group)
            local = [*self.own_member(node, group, member), f"id = {member.identity}"]
            remote = [f"auth = {'psk' if group.credential == 'psk' else 'pubkey'}", f"id = {peer}"]
            if group.credential == "public-key":
                remote.append(self.public_key(node, group, entry.peer))
            elif group.credential != "psk":
                self.trust(node, group)
                remote.append(f"cacerts = {group.name}-ca.pem")
            connections.append(connection(entry.name, node.address, entry.address, local, remote))
            if group.credential == "psk":
                value = credentials.psk() if member.fault == "psk" else self.secrets[member.name]
                secrets.append(secret(entry.name, [member.identity, peer], value))
        if group.credential == "eap":
            secrets.append(secret(group.name, [member.identity], self.secrets[member.name], "eap"))

    def own_member(self, node, group, member):
        if group.credential == "psk":
            return ["auth = psk"]
        if group.credential == "eap":
            return ["auth = eap-mschapv2"]
        if group.credential == "public-key":
            return ["auth = pubkey", self.key_pair(node, group)]
        return ["auth = pubkey", self.certificate(node, group, member.identity,
                                                  member.fault == "certificate")]

    # What follows puts files into a node's folder and returns the line that names them.

    def certificate(self, node, group, identity, stranger=False):
        etc = os.path.join(namespaces.folder(node.name), "etc/swanctl")
        if not os.path.exists(f"{etc}/x509/{group.name}.pem"):
            self.authority(group.name, stranger).issue(
                identity, f"{etc}/private/{group.name}.pem", f"{etc}/x509/{group.name}.pem")
        self.trust(node, group)
        return f"certs = {group.name}.pem"

    def trust(self, node, group):
        namespaces.copy_into(node.name, self.authority(group.name).certificate,
                             f"etc/swanctl/x509ca/{group.name}-ca.pem")

    def key_pair(self, node, group):
        private, public = credentials.raw_key(self.folder, f"{group.name}-{node.name}")
        namespaces.copy_into(node.name, private, f"etc/swanctl/private/{group.name}.pem")
        namespaces.copy_into(node.name, public, f"etc/swanctl/pubkey/{group.name}.pem")
        return f"pubkeys = {group.name}.pem"

    def public_key(self, node, group, owner):
        _, public = credentials.raw_key(self.folder, f"{group.name}-{owner}")
        namespaces.copy_into(node.name, public, f"etc/swanctl/pubkey/{group.name}-{owner}.pem")
        return f"pubkeys = {group.name}-{owner}.pem"

    def tunnel(self, node, tunnel, connections, secrets):
        mine = tunnel.ends.index(node.name)
        peer = self.topology.nodes[tunnel.ends[1 - mine]]
        identities = [f"{name}.tunnel.example" for name in (node.name, peer.name)]
        # One end initiates: both at once would make two of everything. The trap tries again
        # when traffic comes, whatever happened before.
        start = "trap|start" if mine == 0 else "none"
        children = f"""    children {{
      {tunnel.name} {{
        local_ts = {tunnel.subnets[mine]}
        remote_ts = {tunnel.subnets[1 - mine]}
        esp_proposals = aes256gcm16
        start_action = {start}
        dpd_action = {'restart' if mine == 0 else 'clear'}
      }}
    }}
"""
        connections.append(connection(tunnel.name, node.address, peer.address,
                                      ["auth = psk", f"id = {identities[0]}"],
                                      ["auth = psk", f"id = {identities[1]}"], children))
        secrets.append(secret(tunnel.name, identities, self.secrets[tunnel.name]))


def key_server_identity(name, group):
    return f"{name}.{group.name}.example"


def connection(name, local_address, remote_address, local, remote, children=""):
    """`local` and `remote`: lines about how each end authenticates."""
    # A registration SA never has a CHILD_SA (RFC 6023).
    childless = "" if children else "    childless = force\n"
    proposals = IKE_PROPOSAL
    if not children:
        proposals = MEMBER_PROPOSAL if remote_address else KEY_SERVER_PROPOSALS
    remote_line = f"    remote_addrs = {remote_address}\n" if remote_address else ""
    sections = "".join(f"    {end} {{\n{''.join(f'      {line}' + chr(10) for line in lines)}    }}\n"
                       for end, lines in (("local", local), ("remote", remote)))
    return f"""  {name} {{
    version = 2
    local_addrs = {local_address}
{remote_line}    proposals = {proposals}
{childless}    mobike = no
    dpd_delay = {DPD_DELAY_S}s
{sections}{children}  }}
"""


def secret(name, identities, value, kind="ike"):
    """`kind`: ike, a pre-shared key, or eap, a password."""
    ids = "".join(f"    id-{number} = {identity}\n" for number, identity in enumerate(identities))
    return f"  {kind}-{name} {{\n{ids}    secret = {value}\n  }}\n"
