"""What the containers of an rke cluster do when they are started on a simulated machine.

The real programs are described in `rke.md` §4.2, §4.5, §4.7 and §11.3; here are only their effects that others can
see: files written, ports opened, exit codes, log lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from autorke.sim.docker.engine import Container, EngineError, Outcome, published
from autorke.sim.machine import script

if TYPE_CHECKING:
    from autorke.sim.machine.host import Host

SSL = "/etc/kubernetes/ssl"
PORTS = {
    "kubelet": (10248, 10250),
    "kube-proxy": (10256, 10249),
    "nginx-proxy": (6443,),
    "kube-apiserver": (6443,),
    "kube-controller-manager": (10257,),
    "kube-scheduler": (10259,),
    "etcd": (2379, 2380),
}
"""Host-network ports that a running service listens on; the first is its health port."""


def service(found: Container) -> str:
    """Which program a container runs: by its command line, not by its name."""
    argv = found.argv
    if argv[:1] in (["/opt/rke-tools/entrypoint.sh"], ["/docker-entrypoint.sh"]) and len(argv) > 1:
        argv = argv[1:]
    return argv[0].rpartition("/")[2] if argv else ""


def flag(found: Container, name: str) -> str | None:
    """Value of `--name=value` on the container's command line."""
    prefix = f"--{name}="
    return next((word.removeprefix(prefix) for word in found.argv if word.startswith(prefix)), None)


def start(host: Host, found: Container) -> Outcome:
    """The `Program` of a machine's engine."""
    for port in published(found):
        if host.foreign_listener(port) is not None:
            raise EngineError(
                500,
                f"driver failed programming external connectivity on endpoint {found.name}: Error starting userland "
                f"proxy: listen tcp4 0.0.0.0:{port}: bind: address already in use",
            )
    fault = host.strike("container", found.name)
    if fault is not None and fault.kind == "fail":
        return Outcome(fault.status if fault.status < 256 else 1, stderr=fault.text)
    name = service(found)
    if name in PORTS:
        return _service(host, found, name)
    handler = _ONE_SHOTS.get(name)
    if handler is not None:
        return handler(host, found)
    return Outcome() if found.restart_always else Outcome(0)


def _service(host: Host, found: Container, name: str) -> Outcome:
    for port in PORTS[name]:
        other = host.foreign_listener(port)
        if other is not None:
            return Outcome(1, stderr=f"listen tcp 0.0.0.0:{port}: bind: address already in use")
    needed = {"kubelet": ("kube-ca.pem", "kubecfg-kube-node.yaml"), "kube-proxy": ("kubecfg-kube-proxy.yaml",)}.get(
        name, ()
    )
    prefix = _host_path(found, SSL)
    for file in needed:
        if host.files.read(f"{prefix}/{file}") is None:
            return Outcome(1, stderr=f"open {SSL}/{file}: no such file or directory")
    if name == "kubelet" and host.facts.swap and flag(found, "fail-swap-on") == "true":
        return Outcome(
            1, stderr="running with swap on is not supported, please disable swap! or set --fail-swap-on flag to false"
        )
    return Outcome(stdout=f"{name} started")


def _host_path(found: Container, path: str) -> str:
    """Where a path inside a container lies on the machine, by its binds (`prefix_path` moves /etc/kubernetes)."""
    for bind in found.host_config.get("Binds") or []:
        source, target, *_ = bind.split(":")
        if f"{path}/".startswith(target.rstrip("/") + "/"):
            return str(source.rstrip("/") + path[len(target.rstrip("/")) :])
    return path


def _cert_deployer(host: Host, found: Container) -> Outcome:
    env = dict(entry.split("=", 1) for entry in found.env if "=" in entry)
    force = env.get("FORCE_DEPLOY") == "true"
    folder = _host_path(found, SSL)

    def deploy() -> None:
        for key, value in env.items():
            kubeconfig = key.startswith("KUBECFG_")
            if not kubeconfig and not key.startswith("KUBE_"):
                continue
            path = f"{folder}/{key.lower().replace('_', '-')}{'.yaml' if kubeconfig else '.pem'}"
            if host.files.read(path) is None or (force and not kubeconfig):
                host.files.write(path, value.encode())

    return Outcome(0, seconds=0.03, effect=deploy)


def _file_writer(host: Host, found: Container, text: str) -> Outcome | None:
    """`file-deployer`: moves FILE_DEPLOY into place, or removes the file."""
    gone = re.fullmatch(r"rm -f (/\S+)", text.strip())
    if gone is not None:
        return Outcome(0, effect=lambda: _void(host.files.remove(_host_path(found, gone[1]))))
    target = re.search(r"mv \S+ (/\S+)", text)
    content = next((entry.partition("=")[2] for entry in found.env if entry.startswith("FILE_DEPLOY=")), None)
    if target is None or content is None:
        return None
    data = (content + "\n").encode()
    return Outcome(0, effect=lambda: host.files.write(_host_path(found, target[1]), data))


def _void(_value: object) -> None:
    return None


def _cleaner(host: Host, found: Container, text: str) -> Outcome | None:
    """`kube-cleaner`: empties directories."""
    words = text.split()
    if words[:1] != ["find"] or "-mindepth" not in words or "-delete" not in words:
        return None
    folders = [_host_path(found, word) for word in words[1 : words.index("-mindepth")] if word.startswith("/")]

    def clean() -> None:
        for folder in folders:
            host.files.empty(folder)

    return Outcome(0, seconds=0.05, effect=clean)


def _log_linker(host: Host, _found: Container, text: str) -> Outcome | None:
    links = re.findall(r"ln -s[fn]* (\S+) (\S+?)(?:;|$|\s)", text)
    if not links:
        return None

    def link() -> None:
        for source, target in links:
            host.files.link(target, source)

    return Outcome(0, effect=link)


def _reader(host: Host, found: Container, text: str) -> Outcome | None:
    """A loop that prints named files of one directory, each after a line that names it."""
    form = re.fullmatch(r'cd (/\S+) && for f in "\$@"; do echo "(\S+ )\$f"; cat "\$f"; done', text)
    if form is None:
        return None
    names = found.argv[found.argv.index("-c") + 3 :]
    said = []
    for name in names:
        data = host.files.read(f"{_host_path(found, form[1])}/{name}")
        said.append(f"{form[2]}{name}\n" + (data or b"").decode(errors="replace"))
    return Outcome(0, stdout="\n".join(said))


def _port_check(host: Host, found: Container) -> Outcome:
    env = dict(entry.split("=", 1) for entry in found.env if "=" in entry)
    checks = [(address, int(port)) for address in env.get("HOSTS", "").split() for port in env.get("PORTS", "").split()]
    closed = [f"{address}:{port}" for address, port in checks if not host.reaches(address, port)]
    said = [f"Checking host {address} on port {port}" for address, port in checks]
    return Outcome(0, stdout="\n".join(said), stderr="\n".join(closed), seconds=5.0 if closed else 0.05)


def _shell(host: Host, found: Container) -> Outcome:
    argv = found.argv
    text = argv[argv.index("-c") + 1] if "-c" in argv[:-1] else ""
    if "nc " in text and " -z " in text:
        return _port_check(host, found)
    for form in (_file_writer, _cleaner, _log_linker, _reader):
        outcome = form(host, found, text)
        if outcome is not None:
            return outcome
    ran = script.interpret(text)
    return Outcome(ran.code, ran.stdout, ran.stderr, max(ran.seconds, 0.02)) if ran else Outcome(0)


def _listener(_host: Host, _found: Container) -> Outcome:
    return Outcome()


_ONE_SHOTS: dict[str, Callable[[Host, Container], Outcome]] = {
    "cert-deployer": _cert_deployer,
    "sh": _shell,
    "bash": _shell,
    "nc": _listener,
}
