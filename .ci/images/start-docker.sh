#!/usr/bin/env bash
# Makes sure a Docker engine answers; installs and starts one when none does (Debian or Ubuntu, as root).
set -euo pipefail

docker info >/dev/null 2>&1 && exit 0

if ! command -v dockerd >/dev/null || ! command -v iptables >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update
  apt-get -qq -y install --no-install-recommends docker.io iptables >/dev/null
  # Newer suites keep the client in a package of its own.
  command -v docker >/dev/null || apt-get -qq -y install --no-install-recommends docker-cli >/dev/null
  # The package may have started the engine as a service; give it a moment.
  for _ in {1..5}; do docker info >/dev/null 2>&1 && exit 0; sleep 1; done
fi

log=$(mktemp -t dockerd.XXXXXX)
# A session of its own, so that the engine outlives the CI step that started it.
setsid dockerd >"$log" 2>&1 </dev/null &
pid=$!
for _ in {1..60}; do
  docker info >/dev/null 2>&1 && { echo "dockerd answers, log in $log"; exit 0; }
  kill -0 "$pid" 2>/dev/null || break
  sleep 1
done
echo "dockerd does not answer; its log:" >&2
cat "$log" >&2
exit 1
