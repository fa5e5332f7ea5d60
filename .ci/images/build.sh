#!/usr/bin/env bash
# Builds local images mysql:9.7 and redis:7 out of two unpacked package trees (x86-64), for machines that can pull none.
set -euo pipefail
# The images' files must be open to the server's own user, whatever the caller's umask.
umask 022

[[ $# == 2 ]] || { echo "usage: build.sh ROOT_MYSQL ROOT_REDIS" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mysql_root=$(realpath -e "$1")
redis_root=$(realpath -e "$2")
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
libs=x86_64-linux-gnu

# The images' only shell is a static busybox; it is fetched, not installed.
fetch_busybox() (cd "$stage" && apt-get -qq -o APT::Sandbox::User=root download busybox-static)
fetch_busybox 2>/dev/null || { apt-get -qq update && fetch_busybox; }
dpkg-deb -x "$stage"/busybox-static_*.deb "$stage/package"
busybox=$(find "$stage/package" -name busybox -type f -perm -u+x)

# skeleton DIR ENTRYPOINT: what an image has beside its server.
skeleton() {
  local d
  mkdir -p "$1"/{etc,dev,proc,sys,root,tmp,run,var/lib} "$1"/usr/{bin,sbin,share,lib64,lib/$libs}
  chmod 1777 "$1/tmp"
  ln -s ../run "$1/var/run"
  # One merged tree with the loader where programs ask for it, wherever the suite keeps it.
  for d in bin sbin lib lib64; do ln -s "usr/$d" "$1/$d"; done
  ln -s "../lib/$libs/ld-linux-x86-64.so.2" "$1/usr/lib64/ld-linux-x86-64.so.2"
  install -m 755 "$busybox" "$1/usr/bin/busybox"
  for d in $("$busybox" --list); do [[ $d == busybox ]] || ln -s busybox "$1/usr/bin/$d"; done
  printf '%s\n' root:x:0:0::/root:/bin/sh mysql:x:999:999::/var/lib/mysql:/bin/sh >"$1/etc/passwd"
  printf '%s\n' root:x:0: mysql:x:999: >"$1/etc/group"
  install -m 755 "$here/$2" "$1/usr/bin/docker-entrypoint.sh"
}

# add DIR ROOT PATH...: copies ROOT's libraries and PATHs into DIR; perl and gconv are no part of a server.
add() (
  cd "$2"
  for d in lib/$libs usr/lib/$libs; do [[ ! -d $d ]] || cp -a "$d/." "$1/usr/lib/$libs/"; done
  cp -a --parents "${@:3}" "$1/"
  rm -rf "$1/usr/lib/$libs"/{perl,perl-base,gconv} "$1/usr/lib/$libs"/libperl*
)

# pack DIR TAG CHANGE...: makes DIR, owned by root, the image TAG.
pack() {
  local change changes=(-c 'LABEL local-build=true' -c 'ENTRYPOINT ["docker-entrypoint.sh"]')
  for change in "${@:3}"; do changes+=(-c "$change"); done
  tar -c -C "$1" --owner=0 --group=0 --numeric-owner . | docker import "${changes[@]}" - "$2"
}

skeleton "$stage/mysql" mysql-entrypoint.sh
mkdir -p "$stage"/mysql/{etc/mysql/conf.d,run/mysqld,var/lib/mysql,var/lib/mysql-files}
chmod 750 "$stage/mysql/var/lib/mysql-files"
cat >"$stage/mysql/etc/my.cnf" <<'CNF'
[mysqld]
skip-name-resolve
host-cache-size=0
datadir=/var/lib/mysql
socket=/var/run/mysqld/mysqld.sock
pid-file=/var/run/mysqld/mysqld.pid
secure-file-priv=/var/lib/mysql-files

!includedir /etc/mysql/conf.d/
CNF
add "$stage/mysql" "$mysql_root" usr/sbin/mysqld usr/share/mysql usr/lib/mysql
pack "$stage/mysql" mysql:9.7 'CMD ["mysqld"]' 'EXPOSE 3306 33060' 'VOLUME /var/lib/mysql'

skeleton "$stage/redis" redis-entrypoint.sh
mkdir -p "$stage/redis/data"
add "$stage/redis" "$redis_root" usr/bin/redis-server usr/bin/redis-check-rdb usr/bin/redis-cli
pack "$stage/redis" redis:7 'CMD ["redis-server"]' 'EXPOSE 6379' 'VOLUME /data' 'WORKDIR /data'

# A tag must not lie: a suite that has moved on fails here and not in a test.
check() {
  local said
  said=$(docker run --rm "$1" "$2" --version)
  echo "$1: $said"
  [[ $said == *"$3"* ]] || { echo "$1 holds another version; the package suite has moved on" >&2; exit 1; }
}
check mysql:9.7 mysqld 'Ver 9.7.'
check redis:7 redis-server 'v=7.'

# What an earlier build left under these tags.
docker image prune --force --filter label=local-build=true >/dev/null
