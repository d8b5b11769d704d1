#!/usr/bin/env bash
# Times `rdbtool convert` and `rewrite` beside what does the like: benches/convert.sh RDB AOF [RUNS], where AOF is
# a single file or an appendonlydir. In turn, so that all see the same machine:
#
#   cat RDB >file                   the least that writing a file takes
#   convert RDB to an RDB           for the server that wrote it (TARGET, default redis-7.0): passed through
#   convert RDB to commands
#   rct (redis-rdb-cli), if it is on the PATH: the same commands
#   redis-server                    loading AOF, and BGREWRITEAOF after that
#   rewrite of AOF                  with and without verification
#
# Prints of each the medians of wall time, CPU time and peak memory (of the server the times of its log).
# Needs GNU time, redis-server and redis-cli.
set -euo pipefail
rdb=$(realpath "$1") aof=$(realpath "$2") runs=${3:-3} port=${PORT:-7399} target=${TARGET:-redis-7.0}
cd "$(dirname "$0")/.."
tool=${TOOL:-target/release/rdbtool}
[ -n "${TOOL:-}" ] || cargo build --release --quiet

folder=$(mktemp -d)
times=$folder/times
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -rf "$folder"' EXIT

# run NAME COMMAND...: one line of NAME, wall s, CPU s and peak KiB.
run() {
  local name=$1
  shift
  rm -rf "$folder/out"
  /usr/bin/time -a -o "$times" -f "$name %e %U %S %M" "$@" >/dev/null || true
}

now() { date +%s.%N; }

# A server that loads the AOF and rewrites it: two lines, of the time each took.
server() {
  rm -rf "$folder/data"
  mkdir -p "$folder/data/appendonlydir"
  if [ -d "$aof" ]; then
    cp "$aof"/* "$folder/data/appendonlydir/"
  else
    cp "$aof" "$folder/data/appendonlydir/appendonly.aof.1.incr.aof"
    echo 'file appendonly.aof.1.incr.aof seq 1 type i' \
      >"$folder/data/appendonlydir/appendonly.aof.manifest"
  fi
  local start middle end
  start=$(now)
  redis-server --bind 127.0.0.1 --port "$port" --dir "$folder/data" --save '' --appendonly yes \
    >"$folder/log" &
  pid=$!
  until [ "$(redis-cli -p "$port" ping 2>/dev/null)" = PONG ]; do sleep 0.05; done
  middle=$(now)
  redis-cli -p "$port" bgrewriteaof >/dev/null
  while redis-cli -p "$port" info persistence | grep -q 'aof_rewrite_\(in_progress\|scheduled\):1'; do
    sleep 0.05
  done
  end=$(now)
  kill "$pid"
  wait "$pid" || true
  pid=
  awk -v a="$start" -v b="$middle" -v c="$end" \
    'BEGIN { printf "server-load %.2f 0 0 0\nserver-rewrite %.2f 0 0 0\n", b - a, c - b }' >>"$times"
}

for _ in $(seq "$runs"); do
  run cat sh -c "cat '$rdb' >'$folder/out'"
  run rdb-to-rdb "$tool" convert --quiet --target "$target" --lossy "$rdb" -o "$folder/out"
  run rdb-to-commands "$tool" convert --quiet --target "$target" --lossy --to resp "$rdb" -o "$folder/out"
  if command -v rct >/dev/null; then run rct rct -f resp -s "$rdb" -o "$folder/out"; fi
  server
  run rewrite "$tool" rewrite --quiet --lossy "$aof" -o "$folder/out"
  run rewrite-unverified "$tool" rewrite --quiet --lossy --no-verify "$aof" -o "$folder/out"
done

median() { sort -n | awk '{ at[NR] = $1 } END { print at[int((NR + 1) / 2)] }'; }
printf '%-20s %10s %10s %10s\n' "$runs runs, medians" 'wall s' 'CPU s' 'peak KiB'
for name in cat rdb-to-rdb rdb-to-commands rct server-load server-rewrite rewrite rewrite-unverified; do
  grep -q "^$name " "$times" || continue
  of() { awk -v name="$name" "\$1 == name { print $1 }" "$times" | median; }
  printf '%-20s %10s %10s %10s\n' "$name" "$(of '$2')" "$(of '$3 + $4')" "$(of '$5')"
done
