# SPDX-License-Identifier: GPL-2.0-or-later
# This project, built out of tree, one build for each checkout:
#
#   $LAB_PROJECT/build      the build that is installed
#   $LAB_PROJECT/sanitize   the build with ASan and UBSan, for unit tests and fuzz corpora
#   $LAB_PROJECT/prefix     FRR's and strongSwan's files (hard links) and ours: one tree in which
#                           a node finds every program and every module
#
# `configure` is made in the checkout, as git ignores it there; everything else is made outside.

project_folder() {
	echo "$LAB_CACHE/project-$(echo "$LAB_TREE" | hash_of)"
}

# project_configure FOLDER OPTION...
project_configure() {
	local folder=$1 key

	shift
	# Other components or options: from the start. Anything else, also a change of Makefile.am, is
	# make's business.
	key=$(
		{
			echo "$LAB_FRR $LAB_STRONGSWAN $LAB_LIBYANG $*"
			declare -f project_configure
		} | hash_of
	)
	if [ "$(cat "$folder/key" 2>/dev/null)" != "$key" ]; then
		rm -rf "$folder"
		mkdir -p "$folder"
		(cd "$LAB_TREE" && autoreconf -fi)
		(
			cd "$folder"
			PKG_CONFIG_PATH=${LAB_LIBYANG:+$LAB_LIBYANG/prefix/lib/pkgconfig} \
				"$LAB_TREE/configure" --prefix="$LAB_PROJECT/prefix" \
				--with-frr="$LAB_FRR" --with-strongswan="$LAB_STRONGSWAN" \
				--with-frr-moduledir="$LAB_PROJECT/prefix/lib/frr/modules" \
				--with-strongswan-plugindir="$LAB_PROJECT/prefix/lib/ipsec/plugins" \
				--with-vtysh-extdir="$LAB_PROJECT/prefix/etc/frr/vtysh.d" "$@"
		)
		echo "$key" >"$folder/key"
	fi
}

project_build() {
	local prefix=$LAB_PROJECT/prefix

	mkdir -p "$LAB_PROJECT"
	locked "$LAB_PROJECT.lock"
	use_ccache
	project_configure "$LAB_PROJECT/build"
	make -C "$LAB_PROJECT/build"
	if [ "$(cat "$prefix.key" 2>/dev/null)" != "$(cat "$LAB_PROJECT/build/key")" ]; then
		rm -rf "$prefix" "$prefix.key"
		cp -al "$LAB_FRR/prefix" "$prefix"
		cp -al "$LAB_STRONGSWAN/prefix/." "$prefix"
	fi
	make -C "$LAB_PROJECT/build" install
	cp "$LAB_PROJECT/build/key" "$prefix.key"
	touch "$LAB_PROJECT/ready"
}

project_build_sanitized() {
	mkdir -p "$LAB_PROJECT"
	locked "$LAB_PROJECT.sanitize.lock"
	use_ccache
	project_configure "$LAB_PROJECT/sanitize" --enable-sanitize
	make -C "$LAB_PROJECT/sanitize"
}

project_step() {
	step "frr-gsa: build and install into $LAB_PROJECT/prefix" "$LAB_LOGS/project.log" project_build ||
		die "frr-gsa does not build, see $LAB_LOGS/project.log"
}
