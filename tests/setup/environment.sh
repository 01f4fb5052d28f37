# SPDX-License-Identifier: GPL-2.0-or-later
# What code in the lab finds in its environment:
#
#   LAB_TREE              the checkout
#   LAB_PREFIX            bin, sbin, libexec, lib of FRR, strongSwan and this project in one tree
#   LAB_MODULES           FRR modules, for --moduledir
#   LAB_PLUGINS           plugins of strongSwan, ours among them
#   LAB_BUILD             build folder of this project (unit tests, test programs)
#   LAB_FRR LAB_STRONGSWAN           folder of each component: src, build, prefix
#   LAB_FRR_STOCK LAB_STRONGSWAN_STOCK   the same without patches (there only in `bench`)
#   LAB_LOGS              logs of set-up and tests, on the host's disk also when seen in a guest

environment_early() {
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
	LAB_MODULES=$LAB_PREFIX/lib/frr/modules
	LAB_PLUGINS=$LAB_PREFIX/lib/ipsec/plugins
	LAB_BUILD=$LAB_PROJECT/build
	export LAB_FRR LAB_FRR_STOCK LAB_STRONGSWAN LAB_STRONGSWAN_STOCK LAB_GUEST_KERNEL \
		LAB_PROJECT LAB_PREFIX LAB_MODULES LAB_PLUGINS LAB_BUILD
}
