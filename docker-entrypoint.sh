#!/bin/sh
# causeway gateway|bridge ARGUMENTS…
set -eu
case "${1:-}" in
  gateway | bridge)
    part=$1
    shift
    exec node "/causeway/packages/$part/src/main.ts" "$@"
    ;;
  *)
    echo "Usage: causeway gateway|bridge --config FILE [--check]" >&2
    exit 2
    ;;
esac
