# SPDX-License-Identifier: GPL-2.0-or-later
# What code in the lab finds in its environment:
#
#   LAB_TREE                    the checkout
#   LAB_BUILD                   build folder of this project (test programs)
#   LAB_PREFIX                  bin, sbin, libexec, lib of FRR, strongSwan and this project
#   LAB_FRR_MODULES             FRR modules, for --moduledir
#   LAB_STRONGSWAN_PLUGINS      plugins of charon, ours among them
#   LAB_VTYSH_DEFINITIONS       what vtysh learns about gcksd and the module
#   LAB_FRR_PREFIX LAB_STRONGSWAN_PREFIX                what these two were configured with
#   LAB_FRR_STOCK_PREFIX LAB_STRONGSWAN_STOCK_PREFIX    the same unpatched; only `bench` builds them
#   LAB_LOGS                    for logs; in a guest a folder that the host keeps

# environment_early: what the user's shell adds (another python, flags for the compiler, a
# umask) has no say in what is built.
environment_early() {
	export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
	unset CC CXX CFLAGS CPPFLAGS CXXFLAGS LDFLAGS LD_LIBRARY_PATH LD_PRELOAD MAKEFLAGS \
		PKG_CONFIG_PATH PYTHONPATH PYTHONHOME
	umask 022
	LAB_CACHE=${FRR_GSA_CACHE:-/var/cache/frr-gsa}
	LAB_LOGS=$LAB_CACHE/logs-$(echo "$LAB_TREE" | hash_of)
	export LAB_TREE LAB_CACHE LAB_LOGS
}

# environment: after the sources are there, which the keys are made of.
environment() {
	LAB_LIBYANG=$(libyang_folder)
	export LAB_LIBYANG
	LAB_FRR=$(frr_folder)
	LAB_FRR_STOCK=$(frr_folder stock)
	LAB_STRONGSWAN=$(strongswan_folder)
	LAB_STRONGSWAN_STOCK=$(strongswan_folder stock)
	LAB_GUEST_KERNEL=$(guest_folder)
	LAB_PROJECT=$(project_folder)
	LAB_PREFIX=$LAB_PROJECT/prefix
	LAB_BUILD=$LAB_PROJECT/build
	LAB_FRR_MODULES=$LAB_PREFIX/lib/frr/modules
	LAB_STRONGSWAN_PLUGINS=$LAB_PREFIX/lib/ipsec/plugins
	LAB_VTYSH_DEFINITIONS=$LAB_PREFIX/etc/frr/vtysh.d
	LAB_FRR_PREFIX=$LAB_FRR/prefix
	LAB_FRR_STOCK_PREFIX=$LAB_FRR_STOCK/prefix
	LAB_STRONGSWAN_PREFIX=$LAB_STRONGSWAN/prefix
	LAB_STRONGSWAN_STOCK_PREFIX=$LAB_STRONGSWAN_STOCK/prefix
	export LAB_FRR LAB_FRR_STOCK LAB_STRONGSWAN LAB_STRONGSWAN_STOCK LAB_GUEST_KERNEL \
		LAB_PROJECT LAB_PREFIX LAB_BUILD LAB_FRR_MODULES LAB_STRONGSWAN_PLUGINS \
		LAB_VTYSH_DEFINITIONS LAB_FRR_PREFIX LAB_FRR_STOCK_PREFIX LAB_STRONGSWAN_PREFIX \
		LAB_STRONGSWAN_STOCK_PREFIX
}
