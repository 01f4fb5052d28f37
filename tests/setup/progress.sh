# SPDX-License-Identifier: GPL-2.0-or-later
# Progress and errors, the same on a terminal and in a log file.
#
#   plan 3; step "building" frr_build    [2/3] building ...
#
# A step runs in a bash of its own (errexit works there whatever the caller is in), its output
# goes to a log file, and a failed step shows the end of it.

die() {
	printf 'tests/lab: %s\n' "$*" >&2
	exit 1
}

note() {
	printf '      %s\n' "$*" >&2
}

# duration SECONDS: 75 -> 1m15s
duration() {
	if (($1 < 60)); then
		printf '%ds' "$1"
	else
		printf '%dm%02ds' $(($1 / 60)) $(($1 % 60))
	fi
}

# plan N: the steps that follow are numbered 1 to N.
plan() {
	steps=$1
	step_number=0
}

# ready TEXT: a step that needs no work.
ready() {
	step_number=$((step_number + 1))
	printf '[%d/%d] %s\n' "$step_number" "$steps" "$*" >&2
}

# pause SECONDS: sleeps without a process that would outlive the heartbeat.
pause() {
	! read -rt "$1" <> <(:)
}

# heartbeat TEXT LOG: says every while that the step is alive, and what it does.
heartbeat() {
	local began=$SECONDS last

	if [ -t 2 ]; then
		while pause 1; do
			last=$(tail -n 1 "$2" 2>/dev/null | tr -d '\000-\037' | cut -c 1-50) || :
			printf '\r\033[K%s %s  %s' "$1" "$(duration $((SECONDS - began)))" "$last" >&2
		done
	else
		while pause 20; do
			last=$(tail -n 1 "$2" 2>/dev/null | tr -d '\000-\037' | cut -c 1-60) || :
			printf '%s ... %s  %s\n' "$1" "$(duration $((SECONDS - began)))" "$last" >&2
		done
	fi
}

# step TEXT LOG FUNCTION [ARG...]: runs the function, returns its status.
step() {
	local text=$1 log=$2 began=$SECONDS status=0 beat

	shift 2
	step_number=$((step_number + 1))
	text="[$step_number/$steps] $text"
	mkdir -p "${log%/*}"
	: >"$log"
	printf '%s' "$text" >&2
	[ -t 2 ] || printf '\n' >&2
	heartbeat "$text" "$log" &
	beat=$!
	"$BASH" "$LAB_TREE/tests/setup/step.sh" "$@" >"$log" 2>&1 </dev/null || status=$?
	kill "$beat" 2>/dev/null || :
	wait "$beat" 2>/dev/null || :
	[ ! -t 2 ] || printf '\r\033[K' >&2
	if ((status == 0)); then
		printf '%s: done, %s\n' "$text" "$(duration $((SECONDS - began)))" >&2
		return 0
	fi
	printf '%s: FAILED after %s; the end of %s:\n' "$text" "$(duration $((SECONDS - began)))" \
		"$log" >&2
	tail -n 15 "$log" | sed 's/^/      | /' >&2
	return "$status"
}

# last_error LOG: the line of a log that says most: our own, else apt's, else the last one.
last_error() {
	{
		tail -n 1 "$1"
		grep '^[EW]: ' "$1" | tail -n 1
		sed -n 's/^tests\/lab: //p' "$1" | tail -n 1
	} | grep . | tail -n 1
}
