# SPDX-License-Identifier: GPL-2.0-or-later
# Debian 13 source packages, fetched by apt from the mirror that this machine is configured for.
#
# apt runs on private folders, so that its state on the host stays as it is. Each suite has its
# own lists: a revision that the security suite superseded vanishes from the mirror while the main
# suite still names it, and apt would insist on the one it read first.

source_suites="trixie-security trixie"

# source_version PACKAGE: the Debian version that was fetched; nothing if none was.
source_version() {
	cat "$LAB_CACHE/sources/$1.version" 2>/dev/null || :
}

source_upstream_version() {
	source_version "$1" | sed -e 's/^[0-9]*://' -e 's/-[^-]*$//'
}

# sources_wanted: package and the upstream version that the patches are made for.
sources_wanted() {
	[ "$LAB_RELEASE" = trixie ] || echo libyang 3.12.2
	echo frr 10.3
	echo strongswan 6.0.1
}

# source_unpack PACKAGE FOLDER
source_unpack() {
	local version

	version=$(source_version "$1")
	# apt has checked it against the signed index.
	dpkg-source --no-check -x "$LAB_CACHE/sources/$1_${version#*:}.dsc" "$2"
}

# mirror_of SUITE: the URI that the host uses for this kind of suite. apt itself reads both
# formats of its configuration for us.
mirror_of() {
	local main security

	main=$(host_mirrors | awk '$2 !~ /-|\// && $3 == "main" { print $1; exit }')
	security=$(host_mirrors | awk '$2 ~ /security/ && $3 == "main" { print $1; exit }')
	[ -n "$main" ] || die "apt has no Debian mirror (component main) in its configuration"
	case $1 in
	# Mirrors keep the security archive beside the main one.
	*-security) echo "${security:-${main%/}-security}" ;;
	*) echo "$main" ;;
	esac
}

host_mirrors() {
	apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT) $(CREATED_BY)' |
		awk '$4 == "Packages"'
}

archive_keyring() {
	local keyring

	for keyring in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
		[ ! -f "$keyring" ] || {
			echo "$keyring"
			return
		}
	done
	die "no keyring of the Debian archive: install debian-archive-keyring"
}

# suite_apt SUITE PROGRAM ARG...
suite_apt() {
	local folder=$LAB_CACHE/sources/apt/$1 program=$2

	shift 2
	"$program" -q -o Dir::Etc::sourcelist="$folder/sources.list" \
		-o Dir::Etc::sourceparts="$folder/empty" -o Dir::Etc::preferencesparts="$folder/empty" \
		-o Dir::State::lists="$folder/lists" -o Dir::Cache="$folder/cache" \
		-o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

suite_update() {
	local folder=$LAB_CACHE/sources/apt/$1

	mkdir -p "$folder/empty" "$folder/lists/partial" "$folder/cache/archives/partial"
	echo "deb-src [signed-by=$(archive_keyring)] $(mirror_of "$1") $1 main" >"$folder/sources.list"
	suite_apt "$1" apt-get -o APT::Update::Error-Mode=any update
}

# source_candidates PACKAGE UPSTREAM: `version suite` lines, newest first.
source_candidates() {
	local suite version lines line sorted=()

	for suite in $source_suites; do
		while read -r version; do
			line="$version $suite"
			lines=()
			for other in "${sorted[@]}"; do
				if [ -n "$line" ] && dpkg --compare-versions "${line% *}" gt "${other% *}"; then
					lines+=("$line")
					line=
				fi
				lines+=("$other")
			done
			sorted=("${lines[@]}" ${line:+"$line"})
		done < <(suite_apt "$suite" apt-cache showsrc --only-source "$1" 2>/dev/null |
			awk '$1 == "Version:" { print $2 }')
	done
	printf '%s\n' "${sorted[@]}"
}

# source_fetch PACKAGE UPSTREAM
source_fetch() {
	local package=$1 upstream=$2 version suite found=

	cd "$LAB_CACHE/sources"
	while read -r version suite; do
		[ -n "$version" ] || continue
		found="$found $version"
		case $version in
		"$upstream"-* | *:"$upstream"-*) ;;
		*) continue ;;
		esac
		echo "$package $version of $suite"
		if suite_apt "$suite" apt-get source --download-only --only-source "$package=$version"; then
			echo "$version" >"$package.version.new"
			mv "$package.version.new" "$package.version"
			return
		fi
	done < <(source_candidates "$package")
	die "$package $upstream: not on the mirror (suites $source_suites have:${found:- nothing})"
}

sources_missing() {
	local package upstream

	while read -r package upstream; do
		[ "$(source_upstream_version "$package")" = "$upstream" ] || echo "$package $upstream"
	done < <(sources_wanted)
}

sources_fetch() {
	local suite package upstream missing updated=

	mkdir -p "$LAB_CACHE/sources"
	locked "$LAB_CACHE/sources.lock"
	missing=$(sources_missing)
	for suite in $source_suites; do
		suite_update "$suite" && updated=yes || echo "no source index of $suite"
	done
	[ -n "$updated" ] ||
		die "no source index could be read: is there a network, and a Debian mirror in /etc/apt?"
	while read -r package upstream; do
		[ -z "$package" ] || source_fetch "$package" "$upstream"
	done <<<"$missing"
}

sources_step() {
	local missing

	missing=$(sources_missing)
	if [ -z "$missing" ]; then
		ready "sources: $(while read -r package _; do
			printf '%s %s  ' "$package" "$(source_version "$package")"
		done < <(sources_wanted))"
		return
	fi
	step "sources: $(cut -d ' ' -f 1 <<<"$missing" | paste -sd ' ') of Debian 13" \
		"$LAB_LOGS/sources.log" sources_fetch ||
		die "$(last_error "$LAB_LOGS/sources.log")"
}
