"""The launcher: one per worker host. It has everything imported, so a runner is a fork away, and it outlives workers.

It listens on a Unix socket for `{"attempt": id, "token": n}`, forks a runner into a session of its own, and answers
with its pid. Two children of it do the timing: the reconciler and the schedules. It holds no change itself: killing it
kills no runner.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import FrameType
from uuid import UUID

from sqlalchemy.orm import configure_mappers

from autorke.core import db, events, logs, queue
from autorke.flows.wiring import wire
from autorke.stuck.hosts import say_goodbye
from autorke.worker import loops, process, runner
from autorke.worker.rehearsal import rehearse

log = logging.getLogger(__name__)
PR_SET_PDEATHSIG = 1


def request_runner(path: Path, attempt_id: UUID, token: int) -> int:
    """Ask the launcher on this host for a runner; returns its pid. Raises OSError when it does not answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(5)
        link.connect(str(path))
        link.sendall(json.dumps({"attempt": str(attempt_id), "token": token}).encode() + b"\n")
        answer = link.recv(64)
    if not answer:
        raise OSError("the launcher gave no answer")
    return int(answer)


def _fresh_process() -> None:
    """After a fork: nothing of the parent's connections, signals or open listening socket is used again."""
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    events.forget()
    db.get_engine().dispose(close=False)  # the parent keeps no connection; what it has learnt of the server stays


def warm_up() -> None:
    """Do once what every runner would do anew after its fork: mappers, statements, what a message to the broker needs.

    Nothing stays open. A database that is away only makes the first runners slower.
    """
    configure_mappers()
    queue.warm_up()
    engine = db.get_engine()
    try:
        rehearse(process.me())
    except Exception as error:
        log.warning("launcher starts without a rehearsal", extra={"error": type(error).__name__})
    engine.dispose()
    import_module("kubernetes.client.rest")  # most runners speak to a cluster
    gc.collect()
    gc.freeze()  # children's garbage collection does not touch, and so not copy, what was loaded before the fork


class Launcher:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.stopping = False
        self.children: dict[str, int] = {}
        self.loops: dict[str, Callable[[], None]] = {"reconciler": loops.reconciler, "schedules": loops.schedules}

    def serve(self) -> None:
        """Serve until SIGTERM or SIGINT; the two loops are started again when they die."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        self.path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
            server.bind(str(self.path))
            self.path.chmod(0o600)
            server.listen(64)
            server.settimeout(1)
            log.info("launcher ready", extra={"socket": str(self.path)})
            while not self.stopping:
                self._reap()
                self._keep_loops(server)
                self._answer_one(server)
        for pid in self.children.values():
            os.kill(pid, signal.SIGTERM)
        self.path.unlink(missing_ok=True)
        say_goodbye(process.runner_id())

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def _answer_one(self, server: socket.socket) -> None:
        try:
            link, _ = server.accept()
        except TimeoutError:
            return
        with link:
            link.settimeout(2)
            try:
                order = json.loads(link.recv(4096))
                attempt_id, token = UUID(order["attempt"]), int(order["token"])
            except (ValueError, KeyError, TypeError, AttributeError, OSError):
                log.warning("launcher got an order it does not understand")
                return
            try:  # no memory for a fork, or a worker that has given up waiting: he starts the runner himself
                pid = self._fork_runner(server, link, attempt_id, token)
                link.sendall(str(pid).encode())
            except OSError as error:
                log.warning("launcher could not serve an order", extra={"error": str(error)})

    def _fork_runner(self, server: socket.socket, link: socket.socket, attempt_id: UUID, token: int) -> int:
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            server.close()
            link.close()
            os.setsid()
            _fresh_process()
            gc.set_threshold(200_000)  # by default it runs 400 times over the files of a thousand nodes
            code = runner.run_attempt(attempt_id, token)
        except BaseException:
            log.exception("runner ended with a bug")
        finally:
            logging.shutdown()
            os._exit(code)

    def _keep_loops(self, server: socket.socket) -> None:
        for name, loop in self.loops.items():
            if name not in self.children:
                self.children[name] = self._fork_loop(server, loop)

    def _fork_loop(self, server: socket.socket, loop: Callable[[], None]) -> int:
        pid = os.fork()
        if pid:
            return pid
        try:
            server.close()  # or workers would wait on the socket of a dead launcher
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            _fresh_process()
            loop()
        except BaseException:
            log.exception("loop ended with a bug")
        finally:
            logging.shutdown()
            os._exit(1)

    def _reap(self) -> None:
        """Collect ended children; a loop that ended is started again at the next turn, not faster."""
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for name, known in list(self.children.items()):
                if known == pid:
                    log.warning("loop died", extra={"loop": name})
                    del self.children[name]
                    time.sleep(0.5)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="autorke launcher")
    parser.add_argument("--socket", type=Path, required=True)
    arguments = parser.parse_args(argv)
    logs.setup()
    wire()
    warm_up()
    Launcher(arguments.socket).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
