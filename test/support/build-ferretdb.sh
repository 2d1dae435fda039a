#!/usr/bin/env bash
# Builds FerretDB, which speaks the protocol of MongoDB and keeps its data in SQLite, once, into a cache outside the
# repository. Needs Go and its module proxy. The tests that want it are skipped by name where it is absent.
set -euo pipefail

cache="${XDG_CACHE_HOME:-$HOME/.cache}/postern-test"
version=1.24.2
program="$cache/ferretdb-$version/bin/ferretdb"

# Two servers never build into one cache at the same time.
mkdir -p "$cache"
exec 9>"$cache/ferretdb.lock"
flock 9
[ -x "$program" ] && exit 0

go=$(command -v go 2>/dev/null) || go=/usr/local/go/bin/go
[ -x "$go" ] || { echo "no Go here: FerretDB is not built" >&2; exit 1; }
build=$(mktemp -d)
trap 'chmod -R u+w "$build"; rm -rf "$build"' EXIT
source=$("$go" mod download -json "github.com/FerretDB/FerretDB@v$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
cp -r "$source" "$build/source"
chmod -R u+w "$build/source"
# The published module lacks what its own build writes first, and refuses to start without it.
printf 'v%s\n' "$version" >"$build/source/build/version/version.txt"
cd "$build/source"
CGO_ENABLED=0 nice -n 15 "$go" build -mod=mod -p 2 -trimpath -ldflags '-s -w' -o "$build/ferretdb" ./cmd/ferretdb
mkdir -p "$cache/ferretdb-$version.new/bin"
mv "$build/ferretdb" "$cache/ferretdb-$version.new/bin/"
rm -rf "$cache/ferretdb-$version"
mv "$cache/ferretdb-$version.new" "$cache/ferretdb-$version"
echo "built: $cache/ferretdb-$version"
