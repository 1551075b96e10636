"""A host with a wrong clock, as a process: `python -m tests.faults.skewed SECONDS` does what it is asked on its input.

SECONDS is how far this process bends its own clock: `time.time` and the `datetime` of every module of ours. 0 where
libfaketime does it from outside, for everything.
"""

from __future__ import annotations

import datetime as real
import json
import sys
import time
from datetime import timedelta, tzinfo
from typing import Any
from uuid import UUID

from autorke.core.db import transaction
from autorke.core.errors import AutoRkeError
from autorke.core.settings import get_settings
from autorke.flows import wiring
from autorke.tickets.service import parse_callback
from autorke.worker import launcher, loops, process, runner
from autorke.workflow import attempts, callbacks, commands, gates
from autorke.workflow.definition import handlers
from autorke.workflow.gates import Decision
from autorke.workflow.reconcile import reconcile
from tests.workflow.conftest import Desk

assert launcher  # with its imports, all modules of a worker host are there to be bent


def bend(seconds: int) -> None:
    """From now on this process believes in another time."""
    now, clock, clock_ns = real.datetime.now, time.time, time.time_ns

    class Bent(real.datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return now(tz) + timedelta(seconds=seconds)

    for name, module in list(sys.modules.items()):
        if name.startswith("autorke.") and getattr(module, "datetime", None) is real.datetime:
            module.datetime = Bent  # type: ignore[attr-defined]
    time.time = lambda: clock() + seconds
    time.time_ns = lambda: clock_ns() + seconds * 1_000_000_000


class Host:
    def clock(self) -> float:
        return time.time()

    def reconcile(self) -> dict[str, int]:
        loops.report(loops.this_host(), get_settings().run_dir)
        done = reconcile(get_settings(), loops.this_host())
        assert "failed" not in done, done
        return done

    def claim(self) -> dict[str, Any]:
        """Take the one attempt that waits."""
        (waiting,) = Desk().ready()
        with transaction() as session:
            claim = attempts.claim(
                session,
                waiting,
                runner_id=process.runner_id(),
                boot_id=process.boot_id(),
                handlers=handlers(),
                lease=get_settings().lease,
            )
        assert claim is not None
        return {"attempt": str(claim.attempt_id), "token": claim.token}

    def run(self, attempt: str, token: int) -> int:
        return runner.run_attempt(UUID(attempt), token)

    def work(self) -> None:
        while Desk().ready():
            self.run(**self.claim())

    def sign(self, ticket: str, gates: dict[str, str], who: str) -> str:
        shown = {UUID(gate): subject for gate, subject in gates.items()}
        return self._tried(lambda s: commands.decide(s, UUID(ticket), shown, UUID(who), Decision(True, "")))

    def callback(self, token: str, secret: str, at: int) -> str:
        body = b'{"order": 7}'
        received = callbacks.Received(token, str(at), callbacks.sign(secret, str(at), body), body, "192.0.2.1")
        return self._tried(lambda s: callbacks.accept(s, received, parse_callback))

    def _tried(self, action: Any) -> str:
        try:
            with transaction() as session:
                action(session)
        except AutoRkeError as error:
            return error.code
        return "accepted"


def main(argv: list[str]) -> None:
    wiring.wire()
    gates.configure_directory(lambda *_: True)
    bend(int(argv[0]))
    host = Host()
    for line in sys.stdin:
        order = json.loads(line)
        answer = getattr(host, order.pop("do"))(**order)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
