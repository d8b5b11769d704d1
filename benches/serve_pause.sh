#!/usr/bin/env bash
# How long clients wait while a snapshot is made, of `rdbtool serve` and of redis-server, which forks.
#
#   cargo build --release && bash benches/serve_pause.sh [KEYS]
#
# Fills each with KEYS keys (default 5,000,000), then SETs with and without a BGSAVE under way: latencies in ms
# at p50, p99, p99.9 and the longest, and by how much the processes grew meanwhile.
set -euo pipefail
keys=${1:-5000000}
rdbtool=${RDBTOOL:-$(dirname "$0")/../target/release/rdbtool}
work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; wait; rm -rf "$work"' EXIT

# resident PID: MiB of a process and its children, of which what they share is counted once.
resident() {
  local sum=0 one
  for one in "$1" $(pgrep -P "$1" || true); do
    sum=$((sum + $(awk '/^Pss:/ { print $2 }' "/proc/$one/smaps_rollup" 2>/dev/null || echo 0)))
  done
  echo $((sum / 1024))
}

# load PORT: SETs of keys that are there, for a while, and their latencies.
load() {
  redis-benchmark -p "$1" -t set -n 300000 -r "$keys" -c 20 | tr '\r' '\n' | awk '
    /^[0-9.]+% <=/ {
      if ($1 + 0 >= 50 && p50 == "") p50 = $3
      if ($1 + 0 >= 99 && p99 == "") p99 = $3
      if ($1 + 0 >= 99.9 && p999 == "") p999 = $3
      if (seen != "end") max = $3
    }
    /Cumulative/ { seen = "end" }
    END { printf "p50 %s  p99 %s  p99.9 %s  longest %s", p50, p99, p999, max }'
}

run() {
  local name=$1 port=$((20000 + RANDOM % 10000)) before most now
  shift
  mkdir -p "$work/$name"
  "$@" --port "$port" --dir "$work/$name" --save "" >"$work/$name.log" 2>&1 &
  pid=$!
  until redis-cli -p "$port" ping >/dev/null 2>&1; do sleep 0.1; done
  seq 1 "$keys" | awk '{ k = sprintf("key:%012d", $1 - 1); printf "SET %s xxx\r\n", k }' |
    redis-cli -p "$port" --pipe >/dev/null
  printf '%-14s at rest: %s keys, %s MiB\n' "$name" "$(redis-cli -p "$port" dbsize)" "$(resident "$pid")"
  printf '%-14s no snapshot: %s\n' "$name" "$(load "$port")"
  before=$(resident "$pid")
  most=$before
  load "$port" >"$work/latencies" &
  local loading=$!
  sleep 0.5
  local since=$SECONDS
  redis-cli -p "$port" bgsave >/dev/null
  while redis-cli -p "$port" info persistence | grep -q 'rdb_bgsave_in_progress:1'; do
    now=$(resident "$pid")
    if [ "$now" -gt "$most" ]; then most=$now; fi
    sleep 0.1
  done
  local took=$((SECONDS - since))
  wait "$loading"
  printf '%-14s snapshot:    %s\n' "$name" "$(cat "$work/latencies")"
  printf '%-14s it took %s s, and %s MiB more\n' "$name" "$took" $((most - before))
  kill "$pid"
  wait "$pid" || true
  pid=
}

run serve "$rdbtool" serve --appendonly no
run redis-server redis-server --bind 127.0.0.1 --appendonly no
