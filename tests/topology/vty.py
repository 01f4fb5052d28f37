# SPDX-License-Identifier: GPL-2.0-or-later
"""One command to one FRR daemon over its vty socket, as vtysh sends it, without a new process."""

import socket

from .errors import CommandError


def command(path, line, deadline_s=30):
    """The output of a line in enable mode; an unknown or failed one raises CommandError."""
    with socket.socket(socket.AF_UNIX) as vty:
        vty.settimeout(deadline_s)
        try:
            vty.connect(path)
            exchange(vty, "enable")
            status, output = exchange(vty, line)
        except OSError as error:
            raise CommandError(f"{path}: {line}: {error}") from None
    if status != 0:
        raise CommandError(f"{path}: {line}: status {status}: {output.strip()}")
    return output


def exchange(vty, line):
    """A line ends with a zero; its answer ends with three and the status."""
    vty.sendall(line.encode() + b"\0")
    answer = b""
    while answer[-4:-1] != b"\0\0\0":
        part = vty.recv(65536)
        if not part:
            raise OSError("the daemon closed the connection")
        answer += part
    return answer[-1], answer[:-4].decode("utf-8", "replace")
