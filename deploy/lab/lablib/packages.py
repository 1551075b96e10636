"""The Debian packages that the lab needs on this computer. Installed when missing, and said so."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from lablib.process import log, run
from lablib.settings import LabError

ALWAYS = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "openssl": "openssl",
}
FOR_IMAGES = {"debootstrap": "debootstrap"}
FOR_KUBERNETES = {"/usr/lib/go-1.19/bin/go": "golang-1.19-go", "dpkg-source": "dpkg-dev"}


def ensure(commands: dict[str, str]) -> None:
    """Install the packages of those `commands` (command -> package) that are not on PATH.

    Services of new packages are not started: the lab has an engine of its own. Raises LabError when this is
    not a Debian with root rights.
    """
    missing = sorted({package for command, package in commands.items() if not shutil.which(command)})
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise LabError(f"missing on this computer: {', '.join(missing)}; needs a Debian and root to install them")
    log.info("installing Debian packages: %s", " ".join(missing))
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _no_service_starts():
        run(["apt-get", "-q", "update"], env=quiet, seconds=900)
        run(["apt-get", "-qy", "install", "--no-install-recommends", *missing], env=quiet, seconds=1800)


@contextlib.contextmanager
def _no_service_starts() -> Iterator[None]:
    """Debian's own switch: while this file says 101, packages do not start their services."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()
