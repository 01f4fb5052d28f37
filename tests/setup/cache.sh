# SPDX-License-Identifier: GPL-2.0-or-later
# The content-addressed cache outside the tree.
#
#   $LAB_CACHE/sources/            Debian source packages as fetched
#   $LAB_CACHE/<name>-<key>/       one component: src/ build/ prefix/ log, and the stamp `ready`
#   $LAB_CACHE/project-<key>/      this project, one for each checkout
#
# The key is a hash over everything that decides the result: source version, patches, the recipe's
# code, the keys of what it is built on, the distribution. The stamp is written last, so what a
# killed build leaves behind is thrown away and built again. A lock keeps two runs apart.

keep_days=14   # since the last use
keep_entries=4 # of each component

hash_of() {
	sha256sum | cut -c 1-12
}

# component_key RECIPE [TEXT...]: the texts and the code of the recipe (comments do not count).
component_key() {
	local recipe=$1

	shift
	{
		printf '%s\n' "$LAB_RELEASE" "$(uname -m)" "$@"
		declare -f "$recipe"
	} | hash_of
}

# patches_text FOLDER: the content of a patch series, for a key.
patches_text() {
	local patch

	for patch in $(patches_list "$1"); do
		echo "$patch"
		cat "$1/$patch" || die "$1/series names $patch, which is not there"
	done
}

patches_list() {
	[ ! -f "$1/series" ] || sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$1/series"
}

# patches_apply FOLDER: to the source in the current folder. A patch that needs fuzz was made for
# another version and is refused.
patches_apply() {
	local patch

	for patch in $(patches_list "$1"); do
		echo "applying $patch"
		patch -p1 --forward --fuzz=0 --no-backup-if-mismatch -i "$1/$patch" ||
			die "$patch does not apply cleanly to $(basename "$PWD")"
	done
}

# recipe_holds FOLDER_FUNCTION: a patch that was edited while it was applied must not get into the
# entry of its former content.
recipe_holds() {
	[ "$PWD" = "$("$1")" ] || [ "$PWD" = "$("$1" stock)" ] ||
		die "a patch changed while it was applied: run it again"
}

component_is_ready() {
	[ -f "$1/ready" ]
}

# component_step TEXT FOLDER RECIPE [ARG...]: builds a component unless it is in the cache. The
# recipe is called in the empty folder.
component_step() {
	local text=$1 folder=$2

	shift 2
	if component_is_ready "$folder"; then
		touch "$folder/ready"
		ready "$text: in the cache"
		return
	fi
	disk_check
	step "$text" "$LAB_LOGS/$(basename "$folder").log" component_build "$folder" "$@" ||
		die "$text failed, see $LAB_LOGS/$(basename "$folder").log"
}

component_build() {
	local folder=$1

	shift
	locked "$folder.lock"
	if component_is_ready "$folder"; then
		echo "another run built it meanwhile"
		return
	fi
	rm -rf "$folder"
	mkdir -p "$folder"
	cd "$folder"
	"$@"
	touch "$folder/ready"
}

# locked FILE: holds the lock until this process ends.
locked() {
	exec 9>"$1"
	flock -n 9 || {
		echo "waiting for another run that works on the same"
		flock 9
	}
}

# Entries that nobody has used for a while, older ones of a component that changes often, and what
# killed builds left.
cache_prune() {
	local folder name

	{
		find "$LAB_CACHE" -mindepth 2 -maxdepth 2 -name ready -mtime "+$keep_days" -printf '%h\n'
		for name in libyang frr frr-stock strongswan strongswan-stock guest-uml guest-qemu; do
			find "$LAB_CACHE" -mindepth 2 -maxdepth 2 -path "$LAB_CACHE/$name-????????????/ready" \
				-printf '%T@ %h\n' | sort -rn | sed "1,${keep_entries}d; s/^[^ ]* //"
		done
		find "$LAB_CACHE" -mindepth 1 -maxdepth 1 -type d -name '*-????????????' \
			! -name 'logs-*' ! -name 'project-*' -mtime +1 ! -exec test -f {}/ready \; -print
	} | sort -u | while read -r folder; do
		# A build that goes on holds the lock.
		exec 8>"$folder.lock"
		if flock -n 8; then
			note "removing $folder from the cache: not used any more"
			rm -rf "$folder" "$folder.lock"
		fi
	done
}

# Compiling: many files are the same from one patch to the next. Paths of the cache are made
# relative, so that a new key does not miss because of its name alone.
use_ccache() {
	export CC="ccache gcc" CXX="ccache g++" CCACHE_DIR="$LAB_CACHE/ccache" \
		CCACHE_BASEDIR="$LAB_CACHE" CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=1G
	MAKEFLAGS="-j$(nproc)"
	export MAKEFLAGS
}
