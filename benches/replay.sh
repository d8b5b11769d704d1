#!/usr/bin/env bash
# Times `rdbtool replay` beside redis-server loading the same file: benches/replay.sh FILE [RUNS], where FILE
# is an RDB, an AOF, or an appendonlydir. Both sides in turn, so that both see the same machine. Of the
# server come its own log line (wall), its CPU time and used_memory once loaded; of rdbtool the time to
# replay, the CPU time of the whole run (the digest and the counts are in it) and its peak memory. Each
# number is of one run, so that a median can be taken.
#
# redis-server is the one in PATH (7.0.15 in Debian 12); it listens on 127.0.0.1 and gets a copy by link.
set -euo pipefail
file=$(realpath "$1") runs=${2:-3} port=${PORT:-7398}
cd "$(dirname "$0")/.."
tool=${TOOL:-target/release/rdbtool}
[ -n "${TOOL:-}" ] || cargo build --release --quiet

folder=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -rf "$folder"' EXIT

# A server with nothing but that file.
prepare() {
  rm -rf "${folder:?}"/*
  case $file in
    *.rdb) ln "$file" "$folder/dump.rdb" 2>/dev/null || cp "$file" "$folder/dump.rdb"; aof=no ;;
    *)
      aof=yes
      if [ -d "$file" ]; then
        cp -r "$file" "$folder/appendonlydir"
      else
        mkdir "$folder/appendonlydir"
        cp "$file" "$folder/appendonlydir/appendonly.aof.1.incr.aof"
        echo 'file appendonly.aof.1.incr.aof seq 1 type i' >"$folder/appendonlydir/appendonly.aof.manifest"
      fi ;;
  esac
}

server() {
  prepare
  redis-server --port "$port" --bind 127.0.0.1 --dir "$folder" --save "" --appendonly "$aof" \
    --auto-aof-rewrite-percentage 0 --daemonize no >"$folder/log" 2>&1 &
  pid=$!
  until redis-cli -p "$port" ping 2>/dev/null | grep -q PONG; do sleep 0.5; done
  wall=$(grep -oE 'DB loaded from [a-z ]+.*: [0-9.]+ seconds' "$folder/log" | grep -oE '[0-9.]+ seconds' | tail -1)
  info=$(redis-cli -p "$port" info all | tr -d '\r')
  field() { sed -n "s/^$1://p" <<<"$info"; }
  echo "redis-server: $wall wall, $(field used_cpu_user) s user, $(field used_cpu_sys) s sys," \
    "used_memory $(field used_memory)"
  redis-cli -p "$port" shutdown nosave >/dev/null 2>&1 || true
  wait "$pid" || true
  pid=
}

ours() {
  local out
  out=$({ /usr/bin/time -f '%U s user, %S s sys, peak %M KiB' "$tool" replay --json "$@" "$file"; } 2>&1 |
    grep -oE '"memory":[0-9]+,"seconds":[0-9.]+|[0-9.]+ s user.*' | tr '\n' ' ')
  echo "rdbtool $*: $out"
}

for _ in $(seq "$runs"); do
  server
  ours
  ours --jobs 1
done
