#!/usr/bin/env bash
# How long clients wait while a snapshot is made, of `rdbtool serve` and of redis-server, which forks.
#
#   cargo build --release && bash benches/serve_pause.sh [KEYS [ROUNDS]]
#
# Fills both with KEYS keys (default 5,000,000). Then ROUNDS times (default 4), one after the other: SETs with
# a BGSAVE under way, latencies in ms at p50, p99, p99.9 and the longest. Nothing else runs meanwhile: a script
# that looks every 100 ms at what the servers do costs more than the snapshots. So the memory and the time
# that a snapshot takes are measured in one more round, whose latencies say nothing.
set -euo pipefail
keys=${1:-5000000}
rounds=${2:-4}
rdbtool=${RDBTOOL:-$(dirname "$0")/../target/release/rdbtool}
work=$(mktemp -d)
declare -A pid port
trap 'kill "${pid[@]}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT

# start NAME COMMAND…: a server that holds the keys.
start() {
  local name=$1
  port[$name]=$((20000 + RANDOM % 10000))
  shift
  mkdir "$work/$name"
  "$@" --port "${port[$name]}" --dir "$work/$name" --appendonly no --save "" >"$work/$name.log" 2>&1 &
  pid[$name]=$!
  until redis-cli -p "${port[$name]}" ping >/dev/null 2>&1; do sleep 0.1; done
  seq 1 "$keys" | awk '{ k = sprintf("key:%012d", $1 - 1); printf "SET %s xxx\r\n", k }' |
    redis-cli -p "${port[$name]}" --pipe >/dev/null
  printf '%-14s at rest: %s keys, %s MiB\n' "$name" "$(redis-cli -p "${port[$name]}" dbsize)" "$(resident "$name")"
}

# resident NAME: MiB of a server and its children, of which what they share is counted once.
resident() {
  local sum=0 one
  for one in "${pid[$1]}" $(pgrep -P "${pid[$1]}" || true); do
    sum=$((sum + $(awk '/^Pss:/ { print $2 }' "/proc/$one/smaps_rollup" 2>/dev/null || echo 0)))
  done
  echo $((sum / 1024))
}

saving() {
  redis-cli -p "${port[$1]}" info persistence | grep -q 'rdb_bgsave_in_progress:1'
}

# load NAME: SETs of keys that are there, for longer than a snapshot takes.
load() {
  redis-benchmark -p "${port[$1]}" -t set -n 400000 -r "$keys" -c 20
}

latencies() {
  tr '\r' '\n' | awk '
    /^[0-9.]+% <=/ {
      if ($1 + 0 >= 50 && p50 == "") p50 = $3
      if ($1 + 0 >= 99 && p99 == "") p99 = $3
      if ($1 + 0 >= 99.9 && p999 == "") p999 = $3
      if (seen != "end") max = $3
    }
    /Cumulative/ { seen = "end" }
    END { printf "p50 %s  p99 %s  p99.9 %s  longest %s\n", p50, p99, p999, max }'
}

# pause NAME [BGSAVE]
pause() {
  load "$1" >"$work/latencies" &
  local loading=$!
  sleep 0.5
  [ -z "${2-}" ] || redis-cli -p "${port[$1]}" bgsave >/dev/null
  wait "$loading"
  while saving "$1"; do sleep 0.1; done
  printf '%-14s %-12s %s\n' "$1" "${2:-no snapshot}" "$(latencies <"$work/latencies")"
}

# costs NAME
costs() {
  local before most now since
  before=$(resident "$1")
  most=$before
  load "$1" >/dev/null &
  local loading=$!
  sleep 0.5
  since=$(date +%s%N)
  redis-cli -p "${port[$1]}" bgsave >/dev/null
  while saving "$1"; do
    now=$(resident "$1")
    if [ "$now" -gt "$most" ]; then most=$now; fi
    sleep 0.1
  done
  now=$(date +%s%N)
  wait "$loading"
  printf '%-14s a snapshot takes %s ms, and %s MiB more\n' "$1" $(((now - since) / 1000000)) $((most - before))
}

start serve "$rdbtool" serve
start redis-server redis-server --bind 127.0.0.1
for name in serve redis-server; do pause "$name"; done
for _ in $(seq "$rounds"); do
  for name in serve redis-server; do pause "$name" BGSAVE; done
done
for name in serve redis-server; do costs "$name"; done
