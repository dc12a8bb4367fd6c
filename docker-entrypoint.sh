#!/bin/sh
# causeway gateway|bridge ARGUMENTS…
set -eu
case "${1:-}" in
  gateway)
    shift
    exec node "/causeway/packages/gateway/src/main.ts" "$@"
    ;;
  bridge)
    shift
    exec node --max-semi-space-size=8 "/causeway/packages/bridge/src/main.ts" "$@"
    ;;
  *)
    echo "Usage: causeway gateway|bridge --config FILE [--check]" >&2
    exit 2
    ;;
esac
