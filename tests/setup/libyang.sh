# SPDX-License-Identifier: GPL-2.0-or-later
# libyang: Debian 12's is too old for FRR 10.3. On Debian 13 the distribution's is used.

# The folder of the component; nothing when the distribution's libyang is used.
libyang_folder() {
	[ "$LAB_RELEASE" = bookworm ] || return 0
	echo "$LAB_CACHE/libyang-$(component_key libyang_recipe "$(source_version libyang)")"
}

libyang_recipe() {
	use_ccache
	source_unpack libyang src
	cmake -S src -B build -DCMAKE_INSTALL_PREFIX="$PWD/prefix" -DCMAKE_INSTALL_LIBDIR=lib \
		-DCMAKE_BUILD_TYPE=RelWithDebInfo -DENABLE_TESTS=OFF -DENABLE_TOOLS=ON
	make -C build
	make -C build install
}

libyang_step() {
	if [ -z "$LAB_LIBYANG" ]; then
		ready "libyang: the distribution's"
	else
		component_step "libyang $(source_upstream_version libyang)" "$LAB_LIBYANG" libyang_recipe
	fi
}
