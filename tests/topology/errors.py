# SPDX-License-Identifier: GPL-2.0-or-later
"""What can go wrong with a running topology; the text is for a person."""


class LabError(Exception):
    pass


class CommandError(LabError):
    """A command on a node failed."""


class Timeout(LabError):
    """A condition did not come true in time."""
