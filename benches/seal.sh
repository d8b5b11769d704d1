#!/usr/bin/env bash
# How fast a file is sealed and held against its seal, beside how fast it is read: benches/seal.sh FILE [RDBTOOL]
# FILE must fit the page cache; its seal is written beside it. Best of five runs, in seconds.
set -euo pipefail
file=$1
rdbtool=${2:-target/release/rdbtool}

best() {
  local best=999999 time
  for _ in 1 2 3 4 5; do
    local start=$EPOCHREALTIME
    "$@" >/dev/null
    time=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')
    best=$(awk -v a="$best" -v b="$time" 'BEGIN { print (b < a) ? b : a }')
  done
  echo "$best"
}

plain() { cat "$file" >/dev/null; }
# What cat does is a copy into memory; this is one that nothing can cut short.
copied() { dd if="$file" of=/dev/null bs=256k status=none; }

size=$(stat -c %s "$file")
cat "$file" >/dev/null
"$rdbtool" seal --quiet --force "$file"
row() { awk -v n="$1" -v t="$2" -v s="$size" 'BEGIN { printf "%-28s %8.3f s %8.2f GB/s\n", n, t, s / t / 1e9 }'; }
printf '%s: %s bytes, its seal %s\n' "$file" "$size" "$(stat -c %s "$file.seal")"
row "cat FILE >/dev/null" "$(best plain)"
row "dd bs=256k" "$(best copied)"
row "seal --verify" "$(best "$rdbtool" seal --verify --quiet "$file")"
row "seal --verify --jobs 1" "$(best "$rdbtool" seal --verify --quiet --jobs 1 "$file")"
row "seal --force" "$(best "$rdbtool" seal --quiet --force "$file")"
