#!/usr/bin/env bash
# Times `rdbtool check` beside redis-check-aof on one AOF, in turn, so that both see the same machine:
# benches/aof.sh AOF [RUNS]. Prints of each the medians of wall time, CPU time and peak memory. Needs GNU time
# and redis-check-aof (Debian's packages time and redis-tools or redis-server).
set -euo pipefail
aof=$(realpath "$1") runs=${2:-5}
cd "$(dirname "$0")/.."
cargo build --release --quiet
tool=${CARGO_TARGET_DIR:-target}/release/rdbtool
times=$(mktemp)
trap 'rm -f "$times"' EXIT

# run NAME COMMAND...: one line of NAME, wall s, CPU s and peak KiB.
run() {
  local name=$1
  shift
  /usr/bin/time -a -o "$times" -f "$name %e %U %S %M" "$@" >/dev/null || true
}

for _ in $(seq "$runs"); do
  run redis-check-aof redis-check-aof "$aof"
  run rdbtool "$tool" check --quiet "$aof"
  run rdbtool-one-thread "$tool" check --quiet --jobs 1 "$aof"
done

median() { sort -n | awk '{ at[NR] = $1 } END { print at[int((NR + 1) / 2)] }'; }
printf '%-20s %10s %10s %10s\n' "$runs runs, medians" 'wall s' 'CPU s' 'peak KiB'
for name in redis-check-aof rdbtool rdbtool-one-thread; do
  of() { awk -v name="$name" "\$1 == name { print $1 }" "$times" | median; }
  printf '%-20s %10s %10s %10s\n' "$name" "$(of '$2')" "$(of '$3 + $4')" "$(of '$5')"
done
