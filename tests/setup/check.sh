# SPDX-License-Identifier: GPL-2.0-or-later
# Every test. Each part writes `ok - CASE` and `not ok - CASE` lines to a file of its own in
# $LAB_LOGS/results; what is in these files is what is counted.

check_parts="unit sanitize upstream-frr upstream-strongswan"

# check_choose [NAME...]: sets `parts` and `tests` (tests/integration/test_NAME.py); all without
# a name.
check_choose() {
	local name

	parts=() tests=()
	if [ $# = 0 ]; then
		# shellcheck disable=SC2046 # a list
		set -- $check_parts $(integration_names)
	fi
	for name; do
		name=${name##*/} name=${name#test_} name=${name%.py}
		if [ -f "$LAB_TREE/tests/integration/test_$name.py" ]; then
			tests+=("$name")
		elif [[ " $check_parts " = *" $name "* ]]; then
			parts+=("$name")
		else
			die "no test '$name': there are $check_parts $(integration_names)"
		fi
	done
}

# check: what was chosen.
check() {
	local name

	rm -rf "$LAB_LOGS/results"
	mkdir -p "$LAB_LOGS/results"
	for name in "${parts[@]}"; do
		check_part "$name"
	done
	integration "${tests[@]}"
	check_total
}

integration_names() {
	find "$LAB_TREE/tests/integration" -maxdepth 1 -name 'test_*.py' -printf '%f\n' |
		sed 's/^test_//; s/\.py$//' | sort | paste -sd ' '
}

# Prints the last line of `check`; its status says whether all is well.
check_total() {
	local passed failed

	passed=$(cat "$LAB_LOGS"/results/* 2>/dev/null | grep -c '^ok - ') || :
	failed=$(cat "$LAB_LOGS"/results/* 2>/dev/null | grep -c '^not ok - ') || :
	if ((failed > 0)); then
		grep -h '^not ok - ' "$LAB_LOGS"/results/* | sort | uniq -c >&2
	elif ((passed == 0)); then
		echo "not ok - no test ran" >&2
		failed=1
	fi
	echo "$passed passed, $failed failed"
	((failed == 0))
}

check_part() {
	local name=$1 results=$LAB_LOGS/results/$1 log=$LAB_LOGS/$1.log status=0

	step "$(check_title "$name")" "$log" "check_${name//-/_}" "$results" || status=$?
	if ((status != 0)) && ! grep -qs '^not ok' "$results"; then
		echo "not ok - $name (status $status, see $log)" >>"$results"
	fi
	note "$(grep -cs '^ok' "$results" || :) passed, $(grep -cs '^not ok' "$results" || :) failed"
}

check_title() {
	case $1 in
	unit) echo "unit tests and fuzz corpora" ;;
	sanitize) echo "the same, and live daemons, with ASan and UBSan" ;;
	upstream-frr) echo "FRR's own tests with patches/frr" ;;
	upstream-strongswan) echo "strongSwan's own tests with patches/strongswan" ;;
	esac
}

check_unit() {
	make_check "$LAB_PROJECT/build" "$1" unit
}

# Daemons too, on this host, in namespaces of their own (tests/sanitize).
check_sanitize() {
	local status=0

	project_build_sanitized
	make_check "$LAB_PROJECT/sanitize" "$1" sanitize || status=$?
	python3 "$LAB_TREE/tests/sanitize/scenarios.py" --build "$LAB_PROJECT/sanitize" \
		--keep "$LAB_LOGS/sanitize" >"$1.scenarios" || status=$?
	cat "$1.scenarios"
	grep -E '^(not )?ok - ' "$1.scenarios" | sed 's/ - / - sanitize: /' >>"$1"
	rm "$1.scenarios"
	return "$status"
}

# make_check FOLDER RESULTS NAME: a libcheck program says how many cases it has; any other program
# is one case.
make_check() {
	local status=0 log cases checks failed program

	use_ccache
	find "$1" -name '*.trs' -delete
	make -C "$1" -k check || status=$?
	find "$1" -name '*.trs' | LC_ALL=C sort | while read -r trs; do
		log=${trs%.trs}.log
		program=${log#"$1/"}
		program=${program%.log}
		cases=$(sed -n 's/^.*Checks: \([0-9]*\), Failures: \([0-9]*\), Errors: \([0-9]*\).*/\1 \2 \3/p' \
			"$log" | awk '{ checks += $1; failed += $2 + $3 } END { print checks + 0, failed + 0 }')
		checks=${cases% *} failed=${cases#* }
		case $(sed -n 's/^:global-test-result: //p' "$trs") in
		PASS) ((checks > 0)) || checks=1 ;;
		SKIP) continue ;;
		*)
			((failed > 0)) || checks=$((checks + 1)) failed=1
			;;
		esac
		for ((number = 1; number <= checks; number++)); do
			if ((number <= failed)); then
				echo "not ok - $3: $program (see $log)"
			else
				echo "ok - $3: $program"
			fi
		done
	done >"$2"
	return "$status"
}

check_upstream_frr() {
	upstream_recorded "$LAB_FRR" frr_tests "$1"
}

check_upstream_strongswan() {
	upstream_recorded "$LAB_STRONGSWAN" strongswan_tests "$1"
}

# integration NAME...: each in a guest of its own, as many at once as there are CPUs, since a
# guest has one.
integration() {
	local name running=0

	for name; do
		if ((running >= $(nproc))); then
			wait -n || :
			running=$((running - 1))
		fi
		step_number=$((step_number + 1))
		integration_test "$name" "[$step_number/$steps] $name" &
		running=$((running + 1))
	done
	wait
}

# integration_test NAME TEXT: a line `# topology: NAME` of the test says where it runs.
integration_test() {
	local test=$LAB_TREE/tests/integration/test_$1.py folder=$LAB_LOGS/$1
	local results=$LAB_LOGS/results/$1 topology status=0 began=$SECONDS passed failed

	topology=$(sed -n 's/^# topology: *//p' "$test" | head -n 1)
	echo "$2: started in ${topology:?$test does not name its topology}" >&2
	mkdir -p "$folder"
	in_topology "$folder" "$topology" "$test" >"$folder.output" 2>"$folder.errors" </dev/null ||
		status=$?
	grep -E '^(not )?ok - ' "$folder.output" | sed "s/ - / - $1: /" >"$results" || :
	passed=$(grep -c '^ok' "$results") || :
	failed=$(grep -c '^not ok' "$results") || :
	if ((status != 0 && failed == 0)); then
		echo "not ok - $1: ended with status $status" >>"$results"
		failed=1
	elif ((passed + failed == 0)); then
		echo "not ok - $1: no case ran" >>"$results"
		failed=1
	fi
	echo "$2: $passed passed, $failed failed, $(duration $((SECONDS - began)))" >&2
	if ((failed > 0)); then
		grep '^not ok' "$results" | sed 's/^/      /' >&2
		tail -n 15 "$folder.errors" | sed 's/^/      | /' >&2
		note "see $folder.output, $folder.errors and the nodes' logs in $folder"
	fi
}
