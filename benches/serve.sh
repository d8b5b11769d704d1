#!/usr/bin/env bash
# redis-benchmark against `rdbtool serve` and redis-server in turn, with the same flags.
#
#   cargo build --release && bash benches/serve.sh [REQUESTS] [ROUNDS]
#
# One line a command and setting: requests a second of both, the median of the rounds, and their ratio.
# Rounds alternate, so that what else the machine does meets both.
set -euo pipefail
requests=${1:-200000}
rounds=${2:-3}
rdbtool=${RDBTOOL:-$(dirname "$0")/../target/release/rdbtool}
commands=set,incr,lpush,hset,zadd
work=$(mktemp -d)
pids=()
trap 'for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; wait; rm -rf "$work"' EXIT

# up PORT: waits until somebody answers there.
up() {
  for _ in $(seq 200); do
    redis-cli -p "$1" ping >/dev/null 2>&1 && return
    sleep 0.05
  done
  echo "nobody answers on port $1" >&2
  exit 1
}

# measure PORT PIPELINE: "command requests-a-second" a line.
measure() {
  redis-cli -p "$1" flushall >/dev/null
  redis-benchmark -p "$1" -n "$requests" -r 100000 -c 50 -P "$2" -t "$commands" --csv |
    tr -d '"' | awk -F, 'NR > 1 { print $1, $2 }'
}

median() {
  sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'
}

printf '%-28s %12s %12s %7s\n' "" serve redis-server ratio
for mode in none everysec always; do
  case $mode in
    none) flags=(--appendonly no) ;;
    *) flags=(--appendonly yes --appendfsync "$mode") ;;
  esac
  ours=$((20000 + RANDOM % 10000))
  theirs=$((ours + 1))
  mkdir -p "$work/$mode-ours" "$work/$mode-theirs"
  "$rdbtool" serve --quiet --port "$ours" --dir "$work/$mode-ours" --save "" "${flags[@]}" &
  pids+=($!)
  redis-server --port "$theirs" --bind 127.0.0.1 --dir "$work/$mode-theirs" --save "" "${flags[@]}" \
    >"$work/$mode-theirs.log" &
  pids+=($!)
  up "$ours"
  up "$theirs"
  for pipeline in 1 16; do
    rm -f "$work"/ours "$work"/theirs
    for _ in $(seq "$rounds"); do
      measure "$ours" "$pipeline" >>"$work/ours"
      measure "$theirs" "$pipeline" >>"$work/theirs"
    done
    for command in SET INCR LPUSH HSET ZADD; do
      a=$(awk -v c=$command '$1 == c { print $2 }' "$work/ours" | median)
      b=$(awk -v c=$command '$1 == c { print $2 }' "$work/theirs" | median)
      printf '%-28s %12.0f %12.0f %7.2f\n' "$command -P $pipeline, AOF $mode" "$a" "$b" \
        "$(awk -v a="$a" -v b="$b" 'BEGIN { print a / b }')"
    done
  done
  kill "${pids[@]}"
  wait "${pids[@]}" || true
  pids=()
done
