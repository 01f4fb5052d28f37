# SPDX-License-Identifier: GPL-2.0-or-later
# Commands in a guest, with a topology around them (tests/guest, tests/topology).

# in_topology LOGS TOPOLOGY COMMAND...: LOGS gets the nodes' logs when COMMAND fails.
in_topology() {
	local logs=$1

	shift
	in_guest "$logs" "$LAB_TREE/tests/topology/lab" "$1" -- "${@:2}"
}

in_guest() {
	local logs=$1

	shift
	rm -rf "$logs"
	mkdir -p "$logs"
	LAB_LOGS=$logs "$LAB_TREE/tests/guest/run" -w "$logs" -- "$LAB_TREE/tests/guest/lab" "$@"
}

# bench_mutate BUILD ARG...
bench_mutate() {
	python3 "$LAB_TREE/tests/sanitize/scenarios.py" --build "$LAB_PROJECT/$1" \
		--keep "$LAB_LOGS/mutate-$1" --json --parts 9 --messages 20000 "${@:2}"
}

# bench NAME [ARG...]: JSON on standard output, nothing else.
bench() {
	local name=$1

	shift
	case $name in
	reflect)
		frr_stock_step
		python3 "$LAB_TREE/tests/bench/reflect.py" --bgpd "$LAB_FRR_PREFIX/sbin/bgpd" \
			--module-folder "$LAB_FRR_MODULES" --stock-bgpd "$LAB_FRR_STOCK_PREFIX/sbin/bgpd" \
			--peers-program "$LAB_BUILD/tests/bench/bgp_peers" "$@"
		;;
	mesh)
		strongswan_stock_step
		LAB_MEMORY=4096 in_guest "$LAB_LOGS/mesh" "$LAB_TREE/tests/bench/mesh.py" "$@"
		;;
	registrations | rekey | tables)
		python3 "$LAB_TREE/tests/bench/$name.py" "$@"
		;;
	mutate)
		project_build_sanitized >&2
		make -C "$LAB_PROJECT/sanitize" check TESTS= >&2
		bench_mutate build --cases 60000 "$@"
		bench_mutate sanitize --cases 20000 "$@"
		;;
	*) die "no bench '$name': there are reflect, mesh, registrations, rekey, tables and mutate" ;;
	esac
}
