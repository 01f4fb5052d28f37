# SPDX-License-Identifier: GPL-2.0-or-later
# FRR, with our patches (LAB_FRR) and without (LAB_FRR_STOCK, for benches only).

# frr_folder [stock]
frr_folder() {
	local version

	version=$(source_version frr)
	if [ "${1:-}" = stock ]; then
		echo "$LAB_CACHE/frr-stock-$(component_key frr_recipe "$version" "$LAB_LIBYANG")"
	else
		echo "$LAB_CACHE/frr-$(component_key frr_recipe "$version" "$LAB_LIBYANG" \
			"$(patches_text "$LAB_TREE/patches/frr")")"
	fi
}

# frr_recipe PATCHES: only the daemons that a node runs. VNC and 256 paths as in Debian's package:
# both change the layout of bgpd's structures, and the module must fit either build.
frr_recipe() {
	local off daemon prefix=$PWD/prefix

	use_ccache
	[ -z "$LAB_LIBYANG" ] || export PKG_CONFIG_PATH="$LAB_LIBYANG/prefix/lib/pkgconfig"
	source_unpack frr src
	(cd src && patches_apply "$1" && ./bootstrap.sh)
	for daemon in ripd ripngd ospfd ospf6d ldpd nhrpd eigrpd babeld isisd pimd pim6d pbrd \
		fabricd vrrpd pathd bfdd ospfapi ospfclient; do
		off="${off:-} --disable-$daemon"
	done
	recipe_holds frr_folder
	mkdir build
	cd build
	# shellcheck disable=SC2086 # a list of options
	CFLAGS="-O2 -g1" \
		LDFLAGS="${LAB_LIBYANG:+-L$LAB_LIBYANG/prefix/lib -Wl,-rpath,$LAB_LIBYANG/prefix/lib}" \
		../src/configure --prefix="$prefix" --sbindir="$prefix/sbin" --sysconfdir=/etc \
		--localstatedir=/var --with-moduledir="$prefix/lib/frr/modules" \
		--enable-multipath=256 --enable-bgp-vnc --with-libpam \
		--enable-user=root --enable-group=root --enable-vty-group=root \
		--disable-doc --disable-rpki --disable-snmp --disable-zeromq --disable-scripting $off
	make
	make install
}

frr_step() {
	component_step "FRR $(source_upstream_version frr) with patches/frr" "$LAB_FRR" \
		frr_recipe "$LAB_TREE/patches/frr"
}

frr_stock_step() {
	component_step "FRR $(source_upstream_version frr) as it is" "$LAB_FRR_STOCK" \
		frr_recipe "$LAB_TREE/patches/none"
}
