"""Files that no one wrote: /proc, /sys, /etc/os-release and friends, made from a machine's facts as a real kernel
would print them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from autorke.sim.machine.facts import Facts


def render(facts: Facts, path: str) -> bytes | None:
    """The content of a made-up file; None when there is no such file."""
    if path.startswith("/proc/sys/"):
        value = facts.sysctls.get(path.removeprefix("/proc/sys/").replace("/", "."))
        return None if value is None else f"{value}\n".encode()
    if path.startswith("/proc/driver/nvidia/"):
        return None
    maker = _FILES.get(path)
    text = maker(facts) if maker else None
    return None if text is None else text.encode()


def sysctl_path(key: str) -> str:
    return "/proc/sys/" + key.replace(".", "/")


def _os_release(facts: Facts) -> str:
    os = facts.os
    lines = [
        f'PRETTY_NAME="{os.pretty_name}"',
        f'NAME="{os.pretty_name.rpartition(" ")[0] or os.pretty_name}"',
        f'VERSION_ID="{os.version_id}"',
        f"ID={os.id}" if os.id.isalpha() and os.id in {"debian", "ubuntu"} else f'ID="{os.id}"',
    ]
    if os.codename:
        lines.append(f"VERSION_CODENAME={os.codename}")
    if os.id_like:
        lines.append(f'ID_LIKE="{os.id_like}"')
    return "\n".join(lines) + "\n"


def _swaps(facts: Facts) -> str:
    head = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
    return head + "".join(f"{s.path:<39} {s.kind}\t{s.size_kb}\t\t{s.used_kb}\t\t{s.priority}\n" for s in facts.swap)


def _meminfo(facts: Facts) -> str:
    swap = sum(entry.size_kb for entry in facts.swap)
    free = swap - sum(entry.used_kb for entry in facts.swap)
    rows = {
        "MemTotal": facts.memory_mb * 1024,
        "MemFree": facts.available_mb * 1024 // 2,
        "MemAvailable": facts.available_mb * 1024,
        "Buffers": 200_000,
        "Cached": 4_000_000,
        "SwapCached": 0,
        "SwapTotal": swap,
        "SwapFree": free,
    }
    return "".join(f"{key + ':':<16}{value:>8} kB\n" for key, value in rows.items())


def _modules(facts: Facts) -> str:
    return "".join(f"{name} 16384 0 - Live 0x0000000000000000\n" for name in facts.loaded_modules)


def _resolv(facts: Facts) -> str:
    search = f"search {' '.join(facts.search)}\n" if facts.search else ""
    return search + "".join(f"nameserver {address}\n" for address in facts.nameservers)


def _cpuinfo(facts: Facts) -> str:
    return "".join(f"processor\t: {n}\nmodel name\t: {facts.cpu_model}\n\n" for n in range(facts.cpus))


def _hosts(facts: Facts) -> str:
    return f"127.0.0.1\tlocalhost\n127.0.1.1\t{facts.hostname}\n"


def _uptime(facts: Facts) -> str:
    return f"{facts.boot_seconds:.2f} {facts.boot_seconds * facts.cpus * 0.9:.2f}\n"


def _mounts(facts: Facts) -> str:
    return "".join(f"{disk.device} {disk.mount} {disk.kind} rw,relatime 0 0\n" for disk in facts.disks)


def _fstab(facts: Facts) -> str:
    mounts = "".join(f"{disk.device} {disk.mount} {disk.kind} defaults 0 1\n" for disk in facts.disks)
    return mounts + "".join(f"{swap.path} none swap sw 0 0\n" for swap in facts.swap)


def _cgroups(facts: Facts) -> str:
    names = (
        "cpuset",
        "cpu",
        "cpuacct",
        "blkio",
        "memory",
        "devices",
        "freezer",
        "net_cls",
        "perf_event",
        "net_prio",
        "hugetlb",
        "pids",
    )
    return "#subsys_name\thierarchy\tnum_cgroups\tenabled\n" + "".join(
        f"{name}\t{n + 1}\t64\t1\n" for n, name in enumerate(names) if facts.cpus
    )


_FILES: dict[str, Callable[[Facts], str]] = {
    "/etc/os-release": _os_release,
    "/usr/lib/os-release": _os_release,
    "/etc/hostname": lambda facts: facts.hostname + "\n",
    "/etc/hosts": _hosts,
    "/etc/resolv.conf": _resolv,
    "/etc/machine-id": lambda facts: facts.machine_id + "\n",
    "/etc/timezone": lambda facts: facts.timezone + "\n",
    "/etc/fstab": _fstab,
    "/proc/swaps": _swaps,
    "/proc/meminfo": _meminfo,
    "/proc/modules": _modules,
    "/proc/cpuinfo": _cpuinfo,
    "/proc/uptime": _uptime,
    "/proc/loadavg": lambda _facts: "0.20 0.18 0.12 1/512 12345\n",
    "/proc/mounts": _mounts,
    "/proc/self/mounts": _mounts,
    "/proc/cgroups": _cgroups,
    "/proc/version": lambda facts: f"Linux version {facts.kernel}\n",
    "/proc/sys/kernel/osrelease": lambda facts: facts.kernel + "\n",
    "/proc/sys/kernel/hostname": lambda facts: facts.hostname + "\n",
    "/sys/class/dmi/id/product_uuid": lambda facts: facts.product_uuid + "\n",
    "/sys/class/dmi/id/product_serial": lambda facts: facts.serial + "\n",
    "/sys/class/dmi/id/product_name": lambda facts: facts.model + "\n",
    "/sys/class/dmi/id/sys_vendor": lambda facts: facts.vendor + "\n",
    "/sys/kernel/security/lsm": lambda _facts: "lockdown,capability,apparmor",
}


def now(facts: Facts) -> float:
    """The machine's own clock."""
    return time.time() + facts.time_skew
