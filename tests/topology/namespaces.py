# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the nodes of a topology: namespaces of network, mounts and host name, joined by veths.

A node's network namespace has the node's name for `ip netns`, the others are held by the
files $LAB_RUN/NODE/namespace and $LAB_RUN/NODE/hostname; nothing has to run in a node to keep
them. In the mount namespace the node's own folders stand at the usual places:

    $LAB_RUN/NODE/run -> /run       lib -> /var/lib/frr     log -> /var/log
    $LAB_RUN/NODE/etc/frr -> /etc/frr, etc/swanctl -> /etc/swanctl,
    etc/strongswan.conf -> /etc/strongswan.conf
"""

import contextlib
import ctypes
import os
import shutil
import socket
import subprocess

CLONE_FS = 0x00000200
CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MNT_DETACH = 2
NETNS_FOLDER = "/run/netns"
MOUNTS = {"run": "/run", "lib": "/var/lib/frr", "log": "/var/log", "etc/frr": "/etc/frr",
          "etc/swanctl": "/etc/swanctl", "etc/strongswan.conf": "/etc/strongswan.conf"}
SWANCTL_FOLDERS = ("conf.d", "private", "rsa", "ecdsa", "pkcs8", "pkcs12", "pubkey", "x509",
                   "x509ca", "x509aa", "x509ac", "x509crl", "x509ocsp")
SYSCTLS = {"ipv4/ip_forward": "1", "ipv4/conf/all/send_redirects": "0",
           "ipv4/conf/default/send_redirects": "0", "ipv4/conf/all/rp_filter": "0",
           "ipv4/conf/default/rp_filter": "0", "ipv6/conf/all/disable_ipv6": "1",
           "ipv6/conf/default/disable_ipv6": "1"}

libc = ctypes.CDLL(None, use_errno=True)   # os.setns() and os.unshare() came with Python 3.12


def check(result, what):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def mount(source, target, kind=None, flags=0):
    encoded = [text.encode() if text else None for text in (source, target, kind)]
    check(libc.mount(*encoded, ctypes.c_ulong(flags), None), f"mount {target}")


def netns_path(name):
    return f"{NETNS_FOLDER}/{name}"


def folder(name):
    return os.path.join(os.environ["LAB_RUN"], name)


@contextlib.contextmanager
def opened(path):
    file = os.open(path, os.O_RDONLY)
    try:
        yield file
    finally:
        os.close(file)


@contextlib.contextmanager
def entered(path, own, kind):
    """The calling thread is in the namespace of `path`, then in its own again."""
    with opened(own) as back, opened(path) as there:
        check(libc.setns(there, kind), f"enter {path}")
        try:
            yield
        finally:
            check(libc.setns(back, kind), "leave a namespace")


def holders(name):
    """Namespace kind -> file that holds it."""
    return {"net": netns_path(name), "mnt": os.path.join(folder(name), "namespace"),
            "uts": os.path.join(folder(name), "hostname")}


def inside(name):
    """The calling thread is in a node's network: sockets that it opens stay there."""
    return entered(netns_path(name), "/proc/thread-self/ns/net", CLONE_NEWNET)


def popen(name, command, **options):
    """subprocess.Popen in a node. As fast as outside: no fork of this process, no nsenter."""
    # a thread that shares its working folder with others may not change its mount namespace
    check(libc.unshare(CLONE_FS), "unshare")
    with opened(".") as here:
        try:
            files = holders(name)
            with inside(name), \
                    entered(files["uts"], "/proc/thread-self/ns/uts", CLONE_NEWUTS), \
                    entered(files["mnt"], "/proc/thread-self/ns/mnt", CLONE_NEWNS):
                return subprocess.Popen(command, **options)
        finally:
            os.fchdir(here)


def create_node(name):
    base = folder(name)
    for source, target in MOUNTS.items():
        path = os.path.join(base, source)
        if source.endswith(".conf"):
            open(path, "a", encoding="ascii").close()
            if not os.path.exists(target):
                open(target, "a", encoding="ascii").close()
        else:
            os.makedirs(path, exist_ok=True)
            os.makedirs(target, exist_ok=True)
    for place in ("run/frr", "run/lock", "log/frr"):
        os.makedirs(os.path.join(base, place), exist_ok=True)
    for place in SWANCTL_FOLDERS:
        os.makedirs(os.path.join(base, "etc/swanctl", place), exist_ok=True)
    os.makedirs(NETNS_FOLDER, exist_ok=True)
    for holder in holders(name).values():
        open(holder, "x", encoding="ascii").close()

    ready, ready_end = os.pipe()
    done_end, done = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            enter_new_namespaces(name, base)
            os.write(ready_end, b"+")
            os.close(done)
            os.read(done_end, 1)
            status = 0
        finally:
            os._exit(status)
    os.close(ready_end)
    try:
        if os.read(ready, 1) != b"+":
            raise OSError(f"node {name}: its namespaces could not be made")
        for kind, holder in holders(name).items():
            mount(f"/proc/{child}/ns/{kind}", holder, flags=MS_BIND)
    finally:
        for end in (ready, done, done_end):
            os.close(end)
        os.waitpid(child, 0)


def enter_new_namespaces(name, base):
    check(libc.unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS), "unshare")
    socket.sethostname(name)
    mount(None, "/", flags=MS_REC | MS_PRIVATE)
    mount("sysfs", "/sys", "sysfs")
    # /run last: the sources may lie below it
    for source, target in sorted(MOUNTS.items(), key=lambda entry: entry[1] == "/run"):
        mount(os.path.join(base, source), target, flags=MS_BIND)
    for key, value in SYSCTLS.items():
        path = f"/proc/sys/net/{key}"
        if os.path.exists(path):
            with open(path, "w", encoding="ascii") as file:
                file.write(value)


def ip_batch(lines, name=None):
    command = ["ip"] + (["-n", name] if name else []) + ["-batch", "-"]
    run = subprocess.run(command, input="".join(f"{line}\n" for line in lines), text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if run.returncode != 0:
        raise OSError(f"{' '.join(command)}: {run.stdout.strip()}")


def create(topology):
    os.makedirs(os.environ["LAB_RUN"], exist_ok=True)
    # namespaces are held by bind mounts, which must not spread to the nodes
    mount(os.environ["LAB_RUN"], os.environ["LAB_RUN"], flags=MS_BIND)
    mount(None, os.environ["LAB_RUN"], flags=MS_PRIVATE)
    # IPv6 may be a module: its settings are there only when it is
    with contextlib.suppress(OSError):
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).close()
    for name in topology.nodes:
        create_node(name)
    ip_batch(f"link add {one.name} netns {one_node} type veth "
             f"peer name {other.name} netns {other_node}"
             for (one_node, one), (other_node, other) in (link.ends for link in topology.links))
    for node in topology.nodes.values():
        ip_batch(node_commands(topology, node), node.name)


def node_commands(topology, node):
    yield "link set lo up"
    for interface in node.dummies:
        yield f"link add {interface.name} type dummy"
    for interface in node.interfaces + node.dummies:
        yield f"addr add {interface.address} dev {interface.name}"
        yield f"link set {interface.name} up"
    if node.kind == "host":
        yield f"route add default via {topology.nodes[node.behind].lan[1]}"
    elif node.kind in ("sr", "gateway"):
        yield f"route add default via {node.interfaces[0].address.ip - 1}"
    else:
        # The provider knows the way to every LAN: nothing but the gateways' policies
        # keeps clear traffic from arriving.
        for gateway in topology.gateways:
            for network in [gateway.lan] + [dummy.address.network for dummy in gateway.dummies]:
                yield f"route add {network} via {gateway.address}"
    for network in node.networks:
        yield f"route add blackhole {network}"


def remove(topology):
    """Undoes create(); processes in the nodes are gone already."""
    for name in topology.nodes:
        for holder in holders(name).values():
            if os.path.exists(holder):
                libc.umount2(holder.encode(), MNT_DETACH)
                os.unlink(holder)
    libc.umount2(os.environ["LAB_RUN"].encode(), MNT_DETACH)


def copy_into(name, source, target):
    """Copies a file or folder to a place below the node's folder."""
    target = os.path.join(folder(name), target)
    if os.path.isdir(source):
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)
