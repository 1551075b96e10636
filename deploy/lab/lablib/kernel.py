"""Kernel settings that machines share with this computer: remembered by `up`, put back by `down`.

A kubelet, kube-proxy or a role that runs in a nested machine writes them for the whole kernel.
"""

import json
from pathlib import Path

from lablib.process import log
from lablib.settings import Lab

NAMES = (
    "fs/file-max", "fs/inotify/max_user_instances", "fs/inotify/max_user_watches", "fs/nr_open",
    "kernel/keys/root_maxbytes", "kernel/keys/root_maxkeys", "kernel/panic", "kernel/panic_on_oops",
    "kernel/pid_max", "kernel/threads-max", "net/netfilter/nf_conntrack_max", "vm/max_map_count",
    "vm/overcommit_memory", "vm/panic_on_oom", "vm/swappiness",
)  # fmt: skip
ROOT = Path("/proc/sys")


def remember(lab: Lab) -> None:
    """Write the present values to the state directory, once."""
    file = lab.state / "kernel.json"
    if not file.exists():
        values = {name: (ROOT / name).read_text().strip() for name in NAMES if (ROOT / name).exists()}
        file.write_text(json.dumps(values, indent=1))


def restore(lab: Lab) -> None:
    """Put back what differs from the remembered values."""
    file = lab.state / "kernel.json"
    if not file.exists():
        return
    for name, value in json.loads(file.read_text()).items():
        if (ROOT / name).read_text().strip() != value:
            log.info("restoring kernel setting %s = %s", name, value)
            (ROOT / name).write_text(value)
