# SPDX-License-Identifier: GPL-2.0-or-later
"""Generates what an operator would write: frr.conf, swanctl.conf, strongswan.conf."""

import os

from . import credentials, namespaces

CHARON_PLUGIN_SKIP = ("rc2", "md4", "counters", "resolve", "files", "ml")
IKE_PROPOSAL = "aes256gcm16-prfsha256-ecp256"
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
        lines += member_lines(node, topology.groups[member.group], member)
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
            *([f" sharing {group.sharing}"] if group.sharing else []),
            *([f" cipher {group.cipher}"] if group.cipher else []),
            *[f" {option}" for option in group.options], "exit", "!"]


def member_lines(node, group, member):
    lines, export = [], member.export
    if export != "connected":
        export = f"prefix-list {group.name}"
        lines = [f"ip prefix-list {group.name} seq {5 * number} permit {prefix}"
                 for number, prefix in enumerate(member.export, 1)] + ["!"]
    return lines + [f"gsa member {group.name}", f" key-server connection {member.connection}",
                    f" local-gateway {node.address}",
                    *[f" protect {prefix}" for prefix in group.protect],
                    f" export {export}",
                    *[f" {option}" for option in group.member_options], "exit", "!"]


def bgp_lines(topology, node):
    others = [other for other in topology.of_kind("sr", "gateway")
              if topology.runs_frr(other.name) and (node.kind == "sr") != (other.kind == "sr")]
    lines = [f"router bgp {node.as_number}", f" bgp router-id {node.address}",
             " no bgp ebgp-requires-policy", " no bgp default ipv4-unicast",
             # the S/R's restart is not to cut traffic
             " bgp graceful-restart", " bgp graceful-restart preserve-fw-state"]
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
        identity = f"{node.name}.{group.name}.example"
        remote = ""
        if group.credential == "certificate":
            self.certificate(node, group, identity)
            remote = f"cacerts = {group.name}-ca.pem"
        connections.append(connection(group.name, node.address, None, group.credential,
                                      identity, remote))
        if group.credential == "psk":
            secrets += [secret(f"{group.name}-{member.node}", [member.identity],
                               self.secrets[member.name]) for member in group.members
                        if member.connection == group.name]

    def member(self, node, group, member, connections, secrets):
        key_server = self.topology.key_server
        peer = f"{key_server.name}.{group.name}.example"
        remote = f"id = {peer}"
        if group.credential == "certificate":
            self.certificate(node, group, member.identity, member.fault == "certificate")
            remote += f"\n      cacerts = {group.name}-ca.pem"
        else:
            value = credentials.psk() if member.fault == "psk" else self.secrets[member.name]
            secrets.append(secret(group.name, [member.identity, peer], value))
        connections.append(connection(group.name, node.address, key_server.address,
                                      group.credential, member.identity, remote))

    def certificate(self, node, group, identity, stranger=False):
        etc = os.path.join(namespaces.folder(node.name), "etc/swanctl")
        self.authority(group.name, stranger).issue(identity, f"{etc}/private/{group.name}.pem",
                                                   f"{etc}/x509/{group.name}.pem")
        namespaces.copy_into(node.name, self.authority(group.name).certificate,
                             f"etc/swanctl/x509ca/{group.name}-ca.pem")

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
        connections.append(connection(tunnel.name, node.address, peer.address, "psk",
                                      identities[0], f"id = {identities[1]}", children))
        secrets.append(secret(tunnel.name, identities, self.secrets[tunnel.name]))


def connection(name, local, remote_address, credential, identity, remote, children=""):
    local_auth = "pubkey" if credential == "certificate" else "psk"
    certificate = f"\n      certs = {name}.pem" if credential == "certificate" else ""
    # A registration SA never has a CHILD_SA (RFC 6023).
    childless = "" if children else "    childless = force\n"
    remote_line = f"    remote_addrs = {remote_address}\n" if remote_address else ""
    return f"""  {name} {{
    version = 2
    local_addrs = {local}
{remote_line}    proposals = {IKE_PROPOSAL}
{childless}    mobike = no
    dpd_delay = {DPD_DELAY_S}s
    local {{
      auth = {local_auth}
      id = {identity}{certificate}
    }}
    remote {{
      auth = {local_auth}
      {remote}
    }}
{children}  }}
"""


def secret(name, identities, value):
    ids = "".join(f"    id-{number} = {identity}\n" for number, identity in enumerate(identities))
    return f"  ike-{name} {{\n{ids}    secret = {value}\n  }}\n"
