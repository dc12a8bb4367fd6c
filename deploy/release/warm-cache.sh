#!/bin/sh
# warm-cache.sh ROOT: runs the programs in ROOT once, so that Node.js keeps their compiled code in NODE_COMPILE_CACHE.
# --check loads every module of a gateway or bridge that does not trace, and ends.
set -eu
root=$1
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT
printf 'regions: [{ name: a, targets: [{ url: "http://127.0.0.1:1" }] }]\n' >"$scratch/gateway.yaml"
printf 'bridge: { name: a, region: a }\nkafka: { bootstrapServers: ["127.0.0.1:1"] }\n' >"$scratch/bridge.yaml"
"$root/bin/causeway" gateway --config "$scratch/gateway.yaml" --check
"$root/bin/causeway" bridge --config "$scratch/bridge.yaml" --check
"$root/bin/causeway" status --help >/dev/null
"$root/bin/causeway" clusters --help >/dev/null
"$root/bin/causeway" traffic --help >/dev/null
# No program responds: its exit code is 1.
"$root/bin/causeway" healthy http://127.0.0.1:1 2>/dev/null || [ $? -eq 1 ]
# Its files are for their owner alone, and the image gives them to root: unread, they would make each start dearer.
chmod -R a+rX "$NODE_COMPILE_CACHE"
