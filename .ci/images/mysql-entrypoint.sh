#!/bin/sh
# The part of the official mysql image's contract that tests use, with no client program in the image.
# Left out: seed files (/docker-entrypoint-initdb.d), *_FILE and *_RANDOM_* variables, time zone tables, another datadir.
set -eu

fail() { echo "[entrypoint] $1" >&2; exit 1; }
# For a string literal and for a `name`; any character is allowed in both.
quote() { printf %s "$1" | sed "s/\\\\/&&/g; s/'/''/g"; }
name() { printf %s "$1" | sed 's/`/``/g'; }

first_start_sql() {
  root=$(quote "$MYSQL_ROOT_PASSWORD")
  # As in the official image, the accounts of root stay out of the binary log and the rest goes in.
  cat <<SQL
SET @@SESSION.SQL_LOG_BIN = 0;
ALTER USER 'root'@'localhost' IDENTIFIED BY '$root';
CREATE USER 'root'@'%' IDENTIFIED BY '$root';
GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;
SET @@SESSION.SQL_LOG_BIN = 1;
SQL
  if [ -n "${MYSQL_DATABASE:-}" ]; then
    db=$(name "$MYSQL_DATABASE")
    echo "CREATE DATABASE IF NOT EXISTS \`$db\`;"
  fi
  if [ -n "${MYSQL_USER:-}" ]; then
    user=$(quote "$MYSQL_USER")
    echo "CREATE USER '$user'@'%' IDENTIFIED BY '$(quote "$MYSQL_PASSWORD")';"
    # In a GRANT, _ and % of a database's name are wildcards unless escaped.
    [ -z "${db:-}" ] || echo "GRANT ALL ON \`$(printf %s "$db" | sed 's/[_%]/\\&/g')\`.* TO '$user'@'%';"
  fi
}

# `docker run image --flag=value` means flags for mysqld.
case "${1:--}" in -*) set -- mysqld "$@" ;; esac

if [ "$1" = mysqld ] && [ "$(id -u)" = 0 ]; then
  shift
  set -- mysqld --user=mysql "$@"
  chown -R mysql:mysql /var/lib/mysql /var/lib/mysql-files /var/run/mysqld
fi

case " $* " in *" --version "* | *" -V "* | *" --help "* | *" -? "*) exec "$@" ;; esac

if [ "$1" = mysqld ] && [ ! -d /var/lib/mysql/mysql ]; then
  [ -n "${MYSQL_ROOT_PASSWORD:-}" ] || fail "set MYSQL_ROOT_PASSWORD"
  [ "${MYSQL_USER:-}" != root ] || fail "MYSQL_USER is for another user than root"
  [ -z "${MYSQL_USER:-}" ] || [ -n "${MYSQL_PASSWORD:-}" ] || fail "MYSQL_USER needs MYSQL_PASSWORD"
  "$@" --initialize-insecure

  (umask 077; first_start_sql >/tmp/first.sql; mkfifo /tmp/first.log)
  [ "$(id -u)" != 0 ] || chown mysql /tmp/first.sql
  # The init file has run when the server says it is ready, so it can be stopped at once.
  # A statement that failed in it is only logged (as MY-000061), and the server goes on: that must not pass.
  failed=
  "$@" --skip-networking --mysqlx=OFF --init-file=/tmp/first.sql >/tmp/first.log 2>&1 &
  while read -r line; do
    echo "$line" >&2
    case "$line" in
      *"[ERROR] [MY-000061]"*) failed=1 ;;
      *": ready for connections"*) kill $! ;;
    esac
  done </tmp/first.log
  wait $! && [ -z "$failed" ] || fail "the first start failed"
  rm /tmp/first.sql /tmp/first.log
fi

exec "$@"
