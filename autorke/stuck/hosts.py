"""What a worker host adds to a pass of the reconciler: its report, where the pass failed, and repairs that only a host
can carry out. The host's own means (processes, starting a runner) are handed in by `worker`.
"""

from __future__ import annotations

import logging
import math
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from autorke.core.db import db_now, transaction
from autorke.core.settings import Settings
from autorke.stuck.models import HostReport, Look
from autorke.stuck.observe import CLAIMABLE
from autorke.stuck.watch import Watcher, asked
from autorke.workflow.models import Attempt

log = logging.getLogger(__name__)
DIRECTLY = frozenset({"broker_down", "hints_not_taken", "not_claimed"})


@dataclass(frozen=True)
class Means:
    """What the host can do: say which attempts have tools here and whether a runner lives, end both, claim and start
    one, and send a canary to the Celery workers."""

    marked: Callable[[], set[str]]
    lives: Callable[[Attempt], bool]
    end: Callable[[Attempt], None]
    launch: Callable[[str], None]
    canary: Callable[[], None]


class HostWatch:
    """One worker host between its passes."""

    def __init__(self, settings: Settings, runner_id: str, boot_id: str, means: Means) -> None:
        self._settings = settings
        self._id = runner_id
        self._boot = boot_id
        self._means = means
        self._pace = settings.stuck_after.total_seconds() / 3
        """Seconds between two looks at all processes of the host, and between two canaries."""
        self._idle = self._pace * 6
        """Between two canaries that nobody takes: the queue is not emptied then."""
        self._scanned = -math.inf
        self._alive: list[str] = []
        self._canary = -math.inf
        self._watcher = Watcher(settings, runner_id)

    def after_pass(self) -> None:
        """Report, carry out what was asked for, look. Raises SQLAlchemyError when the database is away."""
        with transaction() as session:
            self._report(session)
            orders = asked(session)
            canary = self._canary_due(session)
        if canary:
            self._canary = time.monotonic()
            self._means.canary()
        causes = {order.cause for order in orders}
        self._end([order.subject for order in orders if order.cause == "process_left"])
        if causes & DIRECTLY:
            self._start()
        self._watcher.turn()

    def _canary_due(self, session: Session) -> bool:
        """Not while the broker is away: sending would only wait for it. One that went with it is sent again at once."""
        if self._watcher.broker.down_since(db_now(session)) is not None:
            self._canary = -math.inf
            return False
        waited = time.monotonic() - self._canary
        if waited < self._pace:
            return False
        idle = session.execute(_IDLE, {"taken": Look.CANARY, "sent": Look.SENT, "after": self._idle}).scalar()
        if idle and waited < self._idle:
            return False
        session.execute(_SENT, {"taken": Look.CANARY, "sent": Look.SENT, "by": self._id})
        return True

    def _report(self, session: Session) -> None:
        before = time.time()
        now = db_now(session)
        skew = skew_between(before, now.timestamp(), time.time())
        if time.monotonic() - self._scanned >= self._pace:
            self._alive = sorted(self._living(session))[:200]
            self._scanned = time.monotonic()
        values = {
            "last_pass": now,
            "stopped_at": None,
            "skew_ms": max(-(10**9), min(10**9, int(skew * 1000))),
            "run_dir_free": _free(self._settings.run_dir),
            "alive": self._alive,
            "broker_down_since": self._watcher.broker.down_since(now),
        }
        statement = insert(HostReport).values(id=self._id, **values)
        session.execute(statement.on_conflict_do_update(index_elements=[HostReport.id], set_=values))

    def _living(self, session: Session) -> Iterable[str]:
        """Attempts of which a runner or a tool is there: tools carry a mark, runners are known by their pid."""
        yesterday = UUID(int=int((time.time() - 86400) * 1000) << 80)  # ids begin with the time
        query = select(Attempt).where(Attempt.runner_id == self._id, Attempt.boot_id == self._boot)
        query = query.where(Attempt.id > yesterday, Attempt.pid.is_not(None)).limit(1000)
        mine = session.execute(query).scalars()
        return self._means.marked() | {str(attempt.id) for attempt in mine if self._means.lives(attempt)}

    def _end(self, attempt_ids: Iterable[str]) -> None:
        """Somebody has asked for it: processes of attempts that are over."""
        for attempt_id in attempt_ids:
            if attempt_id not in self._alive:
                continue
            with transaction() as session:
                attempt = session.get(Attempt, UUID(attempt_id))
            if attempt is not None and attempt.state not in ("READY", "CLAIMED", "RUNNING"):
                log.warning("ending processes of an attempt that is over", extra={"attempt": attempt_id})
                self._means.end(attempt)
                self._scanned = -math.inf

    def _start(self) -> None:
        """What has been ready for a while is claimed without a message; a claim decides as always."""
        with transaction() as session:
            before = db_now(session) - self._settings.hint_resend
            ready = list(session.execute(_DUE, {"before": before}).scalars())
        for attempt_id in ready:
            self._means.launch(str(attempt_id))


def skew_between(before: float, told: float, after: float) -> float:
    """Seconds by which our clock is certainly ahead of one that told its time between two readings of ours (negative:
    behind): 0 where the wait for the answer explains the difference, as it does on a host that stands still meanwhile.
    """
    return before - told if told < before else min(0.0, after - told)


def canary_taken(worker: str) -> None:
    """A Celery worker takes hints at this moment."""
    with transaction() as session:
        values = {"at": func.clock_timestamp(), "by": worker}
        statement = insert(Look).values(id=Look.CANARY, **values)
        session.execute(statement.on_conflict_do_update(index_elements=[Look.id], set_=values))


def say_goodbye(runner_id: str) -> None:
    """Record that this host's launcher ends on purpose; a database that is away is not waited for."""
    try:
        with transaction() as session:
            row = session.get(HostReport, runner_id)
            if row is not None:
                row.stopped_at = db_now(session)
    except SQLAlchemyError as error:
        log.warning("could not say goodbye", extra={"error": type(error).__name__})


def _free(run_dir: Path) -> int:
    try:
        return shutil.disk_usage(run_dir).free
    except OSError:
        return 0


_DUE = text(f"select a.id {CLAIMABLE} order by a.ready_at limit 20")
_IDLE = text(
    """
select s.at < clock_timestamp() - make_interval(secs => :after)
  from stuck_look s left join stuck_look t on t.id = :taken where s.id = :sent and (t.at is null or t.at < s.at)
"""
)
_SENT = text(
    """
insert into stuck_look (id, at, by) values (:sent, clock_timestamp(), :by)
on conflict (id) do update set at = excluded.at, by = excluded.by
 where stuck_look.at <= (select t.at from stuck_look t where t.id = :taken)
"""
)
_NOTE = text(
    """
insert into pass_failure (what, item, ticket_id, error, times, since, last_at)
values (:what, :item, (select s.ticket_id from step s left join step_attempt a on a.step_id = s.id
                         left join gate g on g.step_id = s.id
                        where cast(:id as uuid) in (s.ticket_id, s.id, a.id, g.id) limit 1),
        :error, 1, clock_timestamp(), clock_timestamp())
on conflict (what, item) do update set error = excluded.error, last_at = excluded.last_at,
  times = case when pass_failure.last_at < excluded.last_at - interval '1 minute' then 1
               else pass_failure.times + 1 end,
  since = case when pass_failure.last_at < excluded.last_at - interval '1 minute' then excluded.since
               else pass_failure.since end
"""
)


def note_failure(what: str, item: object, error: Exception) -> None:
    """A pass has failed on one item; must not fail itself."""
    found = item if isinstance(item, UUID) else None
    values = {"what": what, "item": str(item or ""), "id": found, "error": type(error).__name__}
    try:
        with transaction() as session:
            session.execute(_NOTE, values)
    except SQLAlchemyError as trouble:
        log.warning("failure of a pass not recorded", extra={"error": type(trouble).__name__})
