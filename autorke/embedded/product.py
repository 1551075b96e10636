"""The product's own processes, as children of the supervisor: launcher, worker, api."""

from __future__ import annotations

import http.client
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from autorke.core.settings import Settings
from autorke.embedded.datadir import DataDirectory
from autorke.embedded.service import Service

ANY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104  compared with, not bound


def product_services(settings: Settings, data: DataDirectory, environ: Mapping[str, str]) -> list[Service]:
    """In starting order. `environ` carries the URLs and the key file."""
    return [_launcher(data, environ), _worker(data, environ), _api(settings, data, environ)]


def launcher_socket(data: DataDirectory) -> Path:
    return data.own_sockets() / "launcher.sock"


def _launcher(data: DataDirectory, environ: Mapping[str, str]) -> Service:
    path = launcher_socket(data)
    path.unlink(missing_ok=True)  # of a launcher that was killed
    return Service(
        name="launcher",
        argv=(sys.executable, "-m", "autorke.worker.launcher", "--socket", str(path)),
        log=data.log("launcher"),
        ready=lambda _pid: path.is_socket(),
        environ=environ,
    )


def _worker(data: DataDirectory, environ: Mapping[str, str]) -> Service:
    log = data.log("worker")
    options = ("-c", "2", "--without-gossip", "--without-mingle", "--loglevel", "INFO")
    return Service(
        name="worker",
        argv=(sys.executable, "-m", "celery", "-A", "autorke.worker.app", "worker", *options),
        log=log,
        ready=lambda _pid: b" ready." in log.read_bytes(),
        environ=environ,
    )


def _api(settings: Settings, data: DataDirectory, environ: Mapping[str, str]) -> Service:
    """Open event streams end after the grace given to uvicorn; browsers resume them."""
    host, port = settings.host, settings.port
    options = ("--host", host, "--port", str(port), "--timeout-graceful-shutdown", "2", "--no-access-log")
    return Service(
        name="api",
        argv=(sys.executable, "-m", "uvicorn", "autorke.app:create_app", "--factory", *options),
        log=data.log("api"),
        ready=lambda _pid: healthy(host, port),
        environ=environ,
    )


def base_url(settings: Settings) -> str:
    """Where this machine reaches the api."""
    host = "127.0.0.1" if settings.host in ANY_ADDRESS else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def healthy(host: str, port: int) -> bool:
    """Whether `GET /api/v1/health` says 200."""
    link = http.client.HTTPConnection("127.0.0.1" if host in ANY_ADDRESS else host, port, timeout=2)
    try:
        link.request("GET", "/api/v1/health")
        return link.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        link.close()


def port_free(host: str, port: int) -> bool:
    """Whether the api could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
