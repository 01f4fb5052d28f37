# SPDX-License-Identifier: GPL-2.0-or-later
"""Declared topologies of real daemons in namespaces; see README.md."""
