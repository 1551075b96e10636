"""Answers from outside systems: one-time token, HMAC over time and body, allow-list; a repeat changes nothing (P11).

The outside calls `POST /api/v1/callbacks/{token}` with `X-AutoRke-Timestamp` (Unix seconds) and `X-AutoRke-Signature`
(`hex(hmac-sha256(secret, timestamp + "." + body))`).
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from autorke.core import crypto
from autorke.core.canonical import storable
from autorke.core.db import db_now
from autorke.core.errors import Conflict, Forbidden, NotFound, Text, Unprocessable
from autorke.core.ids import new_id
from autorke.workflow import engine, results
from autorke.workflow.journal import By, lock_ticket, record
from autorke.workflow.models import Attempt, CallbackToken, StepRow
from autorke.workflow.states import StepState

MAX_SKEW = timedelta(minutes=5)
AWAITED = (StepState.RUNNING, StepState.UNKNOWN, StepState.WAIT_CALLBACK)


class BadSignature(Forbidden):
    code = "bad-signature"
    text = Text(zh="回调签名不正确或已过时", en="The callback's signature is wrong or too old")
    remedy = Text(zh="检查 HMAC 密钥与系统时间", en="Check the HMAC secret and the clock")


class NotAllowedFrom(Forbidden):
    code = "callback-source-refused"
    text = Text(zh="不接受来自 {address} 的回调", en="Callbacks from {address} are not accepted")


class CallbackConflict(Conflict):
    code = "callback-conflict"
    text = Text(zh="此回调已收到过，内容不同", en="This callback was already received with another content")


class CallbackNotJson(Unprocessable):
    code = "callback-not-json"
    text = Text(zh="回调内容必须是 JSON 对象", en="A callback must be a JSON object")


@dataclass(frozen=True)
class Issued:
    """What the outside system is given; shown once, stored only as a hash and an envelope."""

    token: str
    hmac_secret: str


@dataclass(frozen=True)
class Received:
    token: str
    timestamp: str
    signature: str
    body: bytes
    address: str


def issue(session: Session, attempt_id: UUID, purpose: str, *, ttl: timedelta, allowed_from: Sequence[str]) -> Issued:
    """Make a callback address for an attempt. `allowed_from` are networks in CIDR form; empty = anywhere."""
    attempt = session.get_one(Attempt, attempt_id)
    issued = Issued(secrets.token_urlsafe(32), secrets.token_urlsafe(32))
    row_id = new_id()
    session.add(
        CallbackToken(
            id=row_id,
            step_id=attempt.step_id,
            attempt_id=attempt_id,
            token_sha256=hashlib.sha256(issued.token.encode()).hexdigest(),
            hmac_envelope=crypto.seal(issued.hmac_secret.encode(), object_id=row_id, version=1),
            allowed_from=list(allowed_from),
            purpose=purpose,
            expires_at=db_now(session) + ttl,
        )
    )
    session.flush()
    return issued


def sign(secret: str, timestamp: str, body: bytes) -> str:
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def accept(session: Session, received: Received, parse: Callable[[bytes], dict[str, Any]]) -> dict[str, Any]:
    """Verify and apply one callback; the same body again returns the stored response.

    An answer that comes before the runner has closed its run is kept for that moment; one that comes after the
    deadline, or for a step that waits no more, is recorded and not applied.
    """
    digest = hashlib.sha256(received.token.encode()).hexdigest()
    known = session.execute(select(CallbackToken.step_id).where(CallbackToken.token_sha256 == digest)).one_or_none()
    if known is None:
        raise NotFound(what="callback", key="…")
    step = session.get_one(StepRow, known.step_id)
    ticket = lock_ticket(session, step.ticket_id)
    query = select(CallbackToken).where(CallbackToken.token_sha256 == digest).with_for_update()
    token = session.execute(query.execution_options(populate_existing=True)).scalar_one()
    _verify(session, token, received)
    body_hash = hashlib.sha256(received.body).hexdigest()
    if token.used_at is not None:
        if token.body_sha256 != body_hash:
            raise CallbackConflict()
        return dict(token.response or {})
    answer = storable(parse(received.body))
    by = By("callback", token.purpose)
    step = session.get_one(StepRow, step.id, populate_existing=True)
    applied = step.state in AWAITED and token.expires_at > db_now(session)
    token.used_at = func.clock_timestamp()
    token.body_sha256 = body_hash
    token.response = {"received": True, "applied": applied}
    record(session, ticket, "callback.received", by, {"step": step.key, "applied": applied, "body_sha256": body_hash})
    if applied:
        step.result = {**(step.result or {}), "callback": answer}
    if applied and step.state == StepState.WAIT_CALLBACK:
        engine.await_confirmation(session, ticket, step)
        engine.advance(session, ticket)
    return dict(token.response)


def _verify(session: Session, token: CallbackToken, received: Received) -> None:
    allowed = [ipaddress.ip_network(net, strict=False) for net in token.allowed_from]
    if allowed and not _is_in(received.address, allowed):
        raise NotAllowedFrom(address=received.address)
    secret = crypto.unseal(token.hmac_envelope, object_id=token.id, version=1).decode()
    expected = sign(secret, received.timestamp, received.body)
    if not hmac.compare_digest(expected.encode(), received.signature.encode(errors="replace")):
        raise BadSignature(field="X-AutoRke-Signature", permission="callback")
    if not re.fullmatch("[0-9]{1,12}", received.timestamp):
        raise BadSignature(field="X-AutoRke-Timestamp", permission="callback")
    age = db_now(session).timestamp() - int(received.timestamp)
    if abs(age) > MAX_SKEW.total_seconds():
        raise BadSignature(field="X-AutoRke-Timestamp", permission="callback")


def _is_in(address: str, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:  # a Unix socket or a proxy that says nothing
        return False
    return any(parsed in network for network in networks)


_EXPIRED = text(
    """
select s.id from step s join ticket t on t.id = s.ticket_id
 where s.state = 'WAIT_CALLBACK'
   and clock_timestamp() > coalesce(
       (select max(c.expires_at) from callback_token c where c.step_id = s.id),
       (select max(a.ended_at) from step_attempt a where a.step_id = s.id and a.purpose = 'RUN')
           + make_interval(secs => (t.flow_snapshot -> 'steps' -> s.ord ->> 'wait_callback_s')::int))
"""
)


def expired(session: Session) -> list[UUID]:
    """Steps that have waited long enough; also one whose run gave no address away, so that it cannot wait for ever."""
    return list(session.execute(_EXPIRED).scalars())


def expire(session: Session, ticket_id: UUID, step: StepRow) -> None:
    """No callback came in time: the step fails, and a retry asks the outside again under the same key."""
    ticket = lock_ticket(session, ticket_id)
    session.refresh(step)
    if step.state == StepState.WAIT_CALLBACK:
        results.withdraw(session, step, "no callback came in time")
        engine.move(session, ticket, step, StepState.FAILED, error={"code": "callback-timeout"})
        engine.advance(session, ticket)
