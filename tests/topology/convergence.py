# SPDX-License-Identifier: GPL-2.0-or-later
"""When a topology has converged."""


def await_converged(lab):
    pass
