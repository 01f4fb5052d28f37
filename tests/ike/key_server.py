# SPDX-License-Identifier: GPL-2.0-or-later
"""One real key server on this host: charon with the plugin and gcksd, in a network and a mount
namespace of their own, for initiators in the same namespace. No ESP is needed, so no guest.

    own_namespaces()                  # at the start of the program
    with KeyServer(programs, folder) as server:
        server.start()
        ...
"""

import contextlib
import json
import os
import signal
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))

from topology import vty                       # noqa: E402
from topology.errors import LabError           # noqa: E402
from topology.wait import wait_until           # noqa: E402

ADDRESS = "127.0.0.1"
IDENTITY = "sr.load.example"
SECRET = "not a secret, of a test alone"
GROUP = "load"
CA = "CN=Load CA"
START_S = 60
STOP_S = 60
# what charon would do for members of other networks only
PLUGIN_SKIP = ("rc2", "md4", "counters", "resolve", "files", "ml")
INSIDE = "IKE_TEST_INSIDE"


def own_namespaces():
    """Runs the program again in namespaces that end with it."""
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "--net", "--mount", sys.executable, *sys.argv])
    for command in (["ip", "link", "set", "lo", "up"],
                    ["mount", "-t", "tmpfs", "tmpfs", "/run"],
                    # charon loads plugins from its own prefix only
                    ["mount", "--bind", os.environ["LAB_STRONGSWAN_PLUGINS"],
                     f"{os.environ['LAB_STRONGSWAN_PREFIX']}/lib/ipsec/plugins"]):
        subprocess.run(command, check=True)
    os.mkdir("/run/frr")


class Daemon:
    """A process that the test started, and what it printed."""

    def __init__(self, name, command, folder, environment=None):
        self.name, self.output = name, os.path.join(folder, f"{name}.out")
        self.stopped, self.environment = False, environment or {}
        with open(self.output, "ab") as file:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                start_new_session=True, env={**os.environ, **self.environment})

    def tail(self, lines=20):
        with open(self.output, encoding="utf-8", errors="replace") as file:
            return "\n".join(file.read().splitlines()[-lines:])

    def running(self):
        return self.process.poll() is None

    def check(self):
        if not self.running():
            raise LabError(f"{self.name} ended with status {self.process.returncode}: "
                           + self.tail())

    def await_file(self, path):
        wait_until(lambda: self.check() or os.path.exists(path), START_S,
                   f"{self.name} makes {path}", diagnose=self.tail)

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii", errors="replace") as stat:
            user, system = stat.read().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def memory_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:"))

    def heap(self):
        """Octets and blocks that it has allocated and not freed (tests/sanitize/heap.c)."""
        with open(f"{self.environment['LAB_HEAP']}.{self.process.pid}", "rb") as counters:
            return struct.unpack("=qq", counters.read())

    def stop(self):
        """The status that it ends with when it is asked to end."""
        self.stopped = True
        if self.running():
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise LabError(f"{self.name} does not end: {self.tail()}") from None

    def kill(self):
        if self.running():
            self.process.kill()
            self.process.wait()


class KeyServer:
    """
    programs     {"charon": path, "gcksd": path, "swanctl": path}
    options      lines of the group's configuration, besides identifier and permit
    environment  of the daemons
    preload      {daemon: [library]}
    count_heap   Daemon.heap() tells what each has allocated
    log_level    of charon
    certificates members authenticate with certificates, not with a pre-shared key
    """

    def __init__(self, programs, folder, options=(), environment=None, log_level=1,
                 permit=("*.load.example",), preload=None, gcksd_options=(), count_heap=False,
                 certificates=False):
        self.programs, self.folder, self.environment = programs, folder, environment
        self.preload, self.gcksd_options = preload or {}, list(gcksd_options)
        self.count_heap = count_heap
        self.options, self.log_level, self.permit = options, log_level, permit
        self.certificates = certificates
        self.dpd_delay_s = 0
        # charon's job for the rekey of an IKE_SA outlives it by hours, which looks like a leak
        self.rekey_s = 0
        self.proposals = "aes256gcm16-prfsha256-ecp256-kw5649_256"
        self.charon = self.gcksd = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for daemon in self.daemons():
            with contextlib.suppress(OSError):
                daemon.kill()

    def daemons(self):
        return [daemon for daemon in (self.charon, self.gcksd) if daemon]

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)

    def daemon(self, name, command, environment=None):
        libraries = list(self.preload.get(name, ()))
        environment = {**(self.environment or {}), **(environment or {})}
        if self.count_heap:
            libraries.append(os.path.join(os.environ["LAB_BUILD"], "tests/sanitize/.libs/heap.so"))
            environment["LAB_HEAP"] = self.path(f"{name}.heap")
        if libraries:
            environment["LD_PRELOAD"] = ":".join(libraries)
        return Daemon(name, command, self.folder, environment)

    # certificates: those of members are issued by ike_load

    def make_certificates(self):
        for kind in ("x509", "x509ca", "private"):
            os.makedirs(self.path(kind), exist_ok=True)
        issue = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        for command in (
                ["-subj", f"/{CA}", "-keyout", self.path("ca.key"),
                 "-out", self.path("x509ca/ca.pem"),
                 "-addext", "keyUsage=critical,keyCertSign,cRLSign"],
                ["-subj", f"/CN={IDENTITY}", "-keyout", self.path("private/sr.pem"),
                 "-out", self.path("x509/sr.pem"), "-addext", f"subjectAltName=DNS:{IDENTITY}",
                 "-addext", "basicConstraints=critical,CA:FALSE",
                 "-CA", self.path("x509ca/ca.pem"), "-CAkey", self.path("ca.key")]):
            subprocess.run(issue + command, check=True, capture_output=True)

    def authentication(self):
        """Of swanctl.conf: local, remote, and the secret."""
        if not self.certificates:
            return "auth = psk", "auth = psk", f"""secrets {{
  ike-any {{
    secret = "{SECRET}"
  }}
}}
"""
        return "auth = pubkey\n      certs = sr.pem", "auth = pubkey\n      cacerts = ca.pem", ""

    # gcksd

    def start_gcksd(self):
        credential = [f' credential certificate ca "{CA}"'] if self.certificates else []
        group = "\n".join([f"gsa group {GROUP}", " identifier 100", *credential,
                           *[f" permit identity {identity}" for identity in self.permit],
                           *[f" {option}" for option in self.options], "exit"])
        self.write("gcksd.conf", f"{group}\n")
        for stale in ("gcksd.vty", "gcksd.sock"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"/run/frr/{stale}")
        # no zebra and no mgmtd: it needs neither to serve
        self.gcksd = self.daemon("gcksd", [
            self.programs["gcksd"], "-u", "root", "-g", "root", "-P", "0",
            "--vty_socket", "/run/frr", "-i", "/run/frr/gcksd.pid",
            "-f", self.path("gcksd.conf"), "--log", f"file:{self.path('gcksd.log')}",
            "--store", self.path("gcksd.db"), "--key-file", self.path("gcksd.key"),
            "--local-socket", "/run/frr/gcksd.sock", *self.gcksd_options])
        self.gcksd.await_file("/run/frr/gcksd.vty")

    def show(self, what):
        return json.loads(vty.command("/run/frr/gcksd.vty", f"show gsa {what} json"))

    def command(self, line):
        return vty.command("/run/frr/gcksd.vty", line)

    # charon

    def strongswan_conf(self, with_plugin):
        folder = os.environ["LAB_STRONGSWAN_PLUGINS"]
        names = sorted(file[len("libstrongswan-"):-len(".so")] for file in os.listdir(folder)
                       if file.startswith("libstrongswan-") and file.endswith(".so"))
        # the load generator's IKE_SA_INIT is one that charon answers without the plugin, too
        options = {"gsa": "      key_wrap_default = kw5649_256\n"}
        plugins = "".join(f"    {name} {{\n      load = yes\n{options.get(name, '')}    }}\n"
                          for name in names
                          if name not in PLUGIN_SKIP and (name != "gsa" or with_plugin))
        # all members come from one address, and at once
        return f"""charon {{
  load_modular = yes
  install_routes = no
  dos_protection = no
  ikesa_table_size = 4096
  ikesa_table_segments = 16
  half_open_timeout = 10
  retransmit_tries = 2
  retransmit_timeout = 1
  filelog {{
    charon {{
      path = {self.path('charon.log')}
      default = {self.log_level}
    }}
  }}
  plugins {{
{plugins}  }}
}}
swanctl {{
  load = pem pkcs1 pkcs8 x509 openssl random nonce pubkey
}}
"""

    def start_charon(self, with_plugin=True):
        if self.certificates:
            self.make_certificates()
        local, remote, secrets = self.authentication()
        self.write("strongswan.conf", self.strongswan_conf(with_plugin))
        self.write("swanctl.conf", f"""connections {{
  {GROUP} {{
    version = 2
    local_addrs = {ADDRESS}
    proposals = {self.proposals}
    childless = force
    mobike = no
    rekey_time = {self.rekey_s}s
    unique = never
    dpd_delay = {self.dpd_delay_s}s
    send_cert = always
    local {{
      {local}
      id = {IDENTITY}
    }}
    remote {{
      {remote}
    }}
  }}
}}
{secrets}""")
        for stale in ("charon.pid", "charon.vici"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"/run/{stale}")
        self.charon = self.daemon("charon", [self.programs["charon"]],
                                  {"STRONGSWAN_CONF": self.path("strongswan.conf")})
        self.charon.await_file("/run/charon.vici")
        self.swanctl("--load-all", "--noprompt", "--file", self.path("swanctl.conf"))

    def swanctl(self, *arguments):
        environment = {**os.environ, "STRONGSWAN_CONF": self.path("strongswan.conf"),
                       "SWANCTL_DIR": self.folder}
        done = subprocess.run([self.programs["swanctl"], *arguments], env=environment,
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise LabError(f"swanctl {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self):
        """Both, and connected."""
        self.start_gcksd()
        self.start_charon()
        wait_until(self.connected, START_S, "charon is connected to gcksd",
                   diagnose=self.charon.tail)

    def connected(self):
        for daemon in self.daemons():
            daemon.check()
        with open(self.path("gcksd.log"), encoding="utf-8", errors="replace") as log:
            return "charon is connected" in log.read()


def programs():
    prefix = os.environ["LAB_PREFIX"]
    return {"charon": f"{prefix}/libexec/ipsec/charon", "gcksd": f"{prefix}/sbin/gcksd",
            "swanctl": f"{prefix}/sbin/swanctl"}


class Load:
    """ike_load, one process; each report is a dictionary."""

    def __init__(self, count, *, group=GROUP, in_flight=16, first=0, stay=False,
                 domain="load.example", sender=False, gsa_auth=False, probe=False,
                 pki=None):
        """pki: the folder of a KeyServer with certificates"""
        command = [os.path.join(os.environ["LAB_BUILD"], "tests/ike/ike_load"),
                   "--server", ADDRESS, "--identity", f"m%u.{domain}",
                   "--server-identity", IDENTITY, "--count", str(count),
                   "--in-flight", str(in_flight), "--first", str(first)]
        command += ["--group", group] if group else []
        command += ["--sender"] if sender else []
        command += ["--gsa-auth"] if gsa_auth else []
        command += ["--stay"] if stay else []
        command += ["--probe"] if probe else []
        command += ["--ca", os.path.join(pki, "x509ca/ca.pem"), "--ca-key",
                    os.path.join(pki, "ca.key")] if pki else ["--secret", SECRET]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def report(self):
        """The next one: the first comes by itself, the others are asked for."""
        line = self.process.stdout.readline()
        if not line:
            raise LabError(f"ike_load ended with status {self.process.wait()}")
        return json.loads(line)

    def ask(self):
        self.process.stdin.write("report\n")
        self.process.stdin.flush()
        return self.report()

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait()
