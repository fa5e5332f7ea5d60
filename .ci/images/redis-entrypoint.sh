#!/bin/sh
# The official redis image's contract: flags or a .conf alone mean redis-server, and every address may connect.
set -eu

case "${1:--}" in -* | *.conf) set -- redis-server "$@" ;; esac
[ "$1" = redis-server ] || exec "$@"
shift

# Without a configuration file the server binds every address; its protected mode would still refuse strangers.
case "${1:-}" in
  -v | --version | -h | --help | --check-system) exec redis-server "$@" ;;
  "" | -*) exec redis-server --protected-mode no "$@" ;;
  # A file must stay the first argument.
  *) conf=$1; shift; exec redis-server "$conf" --protected-mode no "$@" ;;
esac
