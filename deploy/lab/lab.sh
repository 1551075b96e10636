#!/bin/sh
# The lab: four machines and a Kubernetes cluster on this computer. Usage: lab.sh up|test|reset|status|events|down
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
python=$root/.venv/bin/python
[ -x "$python" ] || { echo "lab: no $python; run '$root/run check' once, it makes the environment" >&2; exit 1; }
PYTHONPATH=$here exec "$python" -m lablib "$@"
