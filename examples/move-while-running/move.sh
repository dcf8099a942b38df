#!/bin/sh
# Moves an application from one host to two others and back while it is asked for, and counts what was not answered.
# `WASH` is the program (default: `wash` on the PATH), `ADDRESS` where the application listens.
set -eu
cd "$(dirname "$0")"
WASH=${WASH:-wash}
ADDRESS=${ADDRESS:-127.0.0.1:8000}
DIR=$(mktemp -d)
PIDS=
export WASMCLOUD_ALLOW_FILE_LOAD=true WASMCLOUD_DATA_DIR="$DIR/data"

leave() {
    # The first host carries the lattice, so it is told last.
    for pid in $PIDS; do kill "$pid" 2>/dev/null || true; done
    wait
    rm -rf "$DIR"
}
trap leave EXIT
trap 'exit 1' INT TERM

until_ready() {
    for _ in $(seq 600); do
        grep -q '"event":"ready"' "$DIR/$1.log" && return
        sleep 0.1
    done
    echo "$1 did not start:" && cat "$DIR/$1.log" && exit 1
}

echo "three hosts"
"$WASH" -o json up --nats-port 0 --label role=front >"$DIR/front.log" 2>&1 &
FRONT=$!
PIDS=$FRONT
until_ready front
for name in one two; do
    "$WASH" -o json host --label role=back >"$DIR/$name.log" 2>&1 &
    PIDS="$! $PIDS"
    until_ready $name
done

deploy() {
    sed "s/127.0.0.1:8000/$ADDRESS/; s#file://\.\.#file://$(cd .. && pwd)#" "$1" >"$DIR/$1"
    "$WASH" app deploy "$DIR/$1"
}

deploy wadm.yaml

echo "asking from now on"
(
    while [ ! -e "$DIR/enough" ]; do
        if curl -sf -m 10 "http://$ADDRESS/" >/dev/null; then echo ok; else echo failed; fi
    done >"$DIR/answers"
) &
ASKING=$!

for manifest in many-hosts.yaml wadm.yaml many-hosts.yaml; do
    # A version is put once; from then on it is deployed by its name.
    version=$(sed -n "s/^ *version: //p" "$manifest")
    if [ -e "$DIR/put-$version" ]; then "$WASH" app deploy "moving@$version"; else deploy "$manifest"; fi
    touch "$DIR/put-$version"
    "$WASH" app status moving
done

touch "$DIR/enough"
wait $ASKING
echo "$(grep -c ok "$DIR/answers") answered, $(grep -c failed "$DIR/answers" || true) failed while it moved"
! grep -q failed "$DIR/answers"
