# SPDX-License-Identifier: GPL-2.0-or-later
# This project, built out of tree, one build for each checkout:
#
#   $LAB_PROJECT/build      the build that is installed
#   $LAB_PROJECT/sanitize   the build with ASan and UBSan, for unit tests and fuzz corpora
#   $LAB_PROJECT/prefix     FRR's and strongSwan's files (hard links) and ours: one tree in which
#                           a node finds every program and every module
#
# `configure` and what belongs to it are made in the checkout, as git ignores them there; everything
# else is made outside.

project_folder() {
	echo "$LAB_CACHE/project-$(echo "$LAB_TREE" | hash_of)"
}

# generated_files_hold: whether what autoreconf makes in the checkout is there and newer than what
# it is made from. The cache outlives a checkout: a new clone in the place of an old one has none of
# it, and git clean or a build by hand may have left a part of it.
generated_files_hold() {
	local file

	for file in aclocal.m4 configure Makefile.in; do
		[ -s "$LAB_TREE/$file" ] || return
		[ -z "$(find "$LAB_TREE" -name '.?*' -prune -o \( -name configure.ac -o -name '*.am' \) \
			-newer "$LAB_TREE/$file" -print -quit)" ] || return
	done
	for file in ar-lib compile config.guess config.sub depcomp install-sh ltmain.sh missing \
		test-driver; do
		[ -s "$LAB_TREE/build-aux/$file" ] || return
	done
	for file in libtool ltoptions ltsugar ltversion lt~obsolete; do
		[ -s "$LAB_TREE/m4/$file.m4" ] || return
	done
}

# project_generate: under a lock of its own, as the two builds share the checkout.
project_generate() {
	local lock

	exec {lock}>"$LAB_PROJECT.generate.lock"
	flock "$lock"
	generated_files_hold || (cd "$LAB_TREE" && autoreconf -fi)
	exec {lock}>&-
}

# project_configure FOLDER OPTION...
project_configure() {
	local folder=$1 key

	shift
	project_generate
	# Other components or options, or another clone at the same place, whose files may be older
	# than what was built from the former one: from the start. Anything else, also a change of
	# Makefile.am, is make's business.
	key=$(
		{
			echo "$LAB_FRR $LAB_STRONGSWAN $LAB_LIBYANG $*"
			stat -c '%i %W' "$LAB_TREE"
			declare -f project_configure
		} | hash_of
	)
	if [ "$(cat "$folder/key" 2>/dev/null)" != "$key" ] || [ ! -f "$folder/Makefile" ]; then
		rm -rf "$folder"
		mkdir -p "$folder"
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
