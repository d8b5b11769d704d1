#!/usr/bin/env bash
# Times `rdbtool check` and `inspect` beside redis-check-rdb on one dump, in turn, so that both see the
# same machine: benches/compare.sh DUMP [RUNS]. Needs hyperfine and redis-check-rdb (Debian's packages
# hyperfine and redis-tools or redis-server).
set -euo pipefail
dump=$1 runs=${2:-7}
cd "$(dirname "$0")/.."
cargo build --release --quiet
tool=target/release/rdbtool
hyperfine --warmup 1 --runs "$runs" --ignore-failure --style basic \
  "redis-check-rdb $dump" "$tool check --quiet $dump" "$tool check --quiet --jobs 1 $dump" \
  "$tool inspect --output /dev/null $dump"
for verb in "check --quiet" "inspect"; do
  # shellcheck disable=SC2086
  /usr/bin/time -f "$verb: peak %M KiB" $tool $verb "$dump" >/dev/null || true
done
