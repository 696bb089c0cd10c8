#!/bin/sh
# Checks the models: each must hold in every state that it can reach, and each
# of its mutants must break a promise. Prints what it found, and fails if a
# model fails, a mutant holds, or a search did not get to its end.
#
#   run.sh short   a bound of one tick: for every change
#   run.sh         a bound of two ticks, and two nodes: minutes
set -eu
export LC_ALL=C
models=$(cd "$(dirname "$0")" && pwd)
mode=${1:-full}
case $mode in
short) bound=1 ;; # in ticks
full) bound=2 ;;
*) echo "usage: run.sh [short|full]" >&2; exit 2 ;;
esac
for tool in spin gcc; do
	command -v $tool >/dev/null || { echo "$tool is missing: run scripts/install-tools.sh" >&2; exit 2; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# check model variant expected flags...: one search, one line in $work/table.
# It runs in a directory of its own, since pan writes beside itself.
check() {
	model=$1 variant=$2 expected=$3
	shift 3
	dir=$work/$model.$variant
	mkdir "$dir"
	cd "$dir"
	cp "$models"/*.pml .
	begun=$(date +%s%N)
	# Compiling an optimised search takes longer than a short search.
	optimise=-O0
	[ "$expected" != holds ] || optimise=-O2
	verdict=broken
	if spin -a "$@" "$model.pml" >log 2>&1 &&
		gcc -w $optimise -DSAFETY -DCOLLAPSE -DMEMLIM=8000 -o pan pan.c >>log 2>&1 &&
		./pan -m100000 >>log 2>&1; then
		verdict=$(verdict log)
	fi
	took=$((($(date +%s%N) - begun) / 10000000))
	found=$(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' log)
	depth=$(sed -n 's/.*depth reached \([0-9]*\).*/\1/p' log)
	note=
	[ "$verdict" = "$expected" ] || { note="  <- expected: $expected"; cat log >&2; }
	printf '%-9s %-24s %10s %6s  %-7s %4d.%02d%s\n' "$model" "$variant" "${found:-?}" "${depth:-?}" \
		"$verdict" $((took / 100)) $((took % 100)) "$note"
	cd "$work"
	rm -rf "$dir"
	[ -z "$note" ] || touch "$work/failed"
}

# verdict log: "holds" only for a search that saw every state.
verdict() {
	if grep -q '^pan:[0-9]*: assertion violated' "$1"; then
		echo fails
	elif grep -q 'errors: 0$' "$1" && grep -q '^Full statespace search' "$1" &&
		! grep -q -e 'Search not completed' -e 'out of memory' -e 'max search depth too small' "$1"; then
		echo holds
	else
		echo broken
	fi
}

printf '%-9s %-24s %10s %6s  %-7s %7s\n' model variant states depth verdict seconds
for path in "$models"/*.pml; do
	model=$(basename "$path" .pml)
	[ "$model" != clock ] || continue
	check "$model" - holds "-DD=$bound"
	# Every mutant that the model names, and every one that it has: a flag that
	# stands nowhere in the model would change nothing, and so it would hold.
	mutants=$(sed -n 's/^ \* mutant \([A-Z_]*\): .*/\1/p' "$path")
	[ -n "$mutants" ] || { echo "$model.pml names no mutant" >&2; exit 1; }
	for mutant in $mutants; do
		check "$model" "$mutant" fails "-DD=$bound" "-D$mutant"
	done
done
if [ "$mode" = full ]; then
	check lease two-nodes holds -DD=1 -DN=2 -DLOG=1
	check lease two-nodes-ONE_HOLDER fails -DD=1 -DN=2 -DLOG=1 -DONE_HOLDER
fi

[ ! -e "$work/failed" ] || { echo "model: not what was expected" >&2; exit 1; }
