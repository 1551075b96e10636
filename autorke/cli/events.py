"""Follow a ticket's event stream: parsed, and resumed behind the last event when the connection breaks."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from autorke.cli.client import Api, Dropped
from autorke.cli.errors import NotAutoRke, Refused, Unreachable

PATIENCE = 60.0
"""Seconds without being able to connect until following is given up."""
PAUSE = 0.5
LONGEST_PAUSE = 5.0


@dataclass(frozen=True)
class StreamEvent:
    """One event. `cursor` resumes the stream behind it."""

    cursor: str
    kind: str
    data: dict[str, Any]


def lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Lines end at LF only: a log line may carry every other character that Python calls a line end."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.rstrip(b"\r").decode("utf-8", "replace")


def parse(text: Iterable[str]) -> Iterator[StreamEvent]:
    """Server-sent events; comments are signs of life and give nothing. An event without its end is dropped."""
    fields: dict[str, list[str]] = {}
    for line in text:
        if line:
            name, _, value = line.partition(":")
            if name:
                fields.setdefault(name, []).append(value.removeprefix(" "))
            continue
        if "data" in fields:
            data = json.loads("\n".join(fields["data"]), strict=False)
            yield StreamEvent(fields.get("id", [""])[-1], fields.get("event", ["message"])[-1], data)
        fields = {}


def follow(api: Api, ticket_id: str, *, logs: bool) -> Iterator[StreamEvent]:
    """The ticket's events, from its first one, without a gap or a repetition over any number of connections.

    Ends only by its caller. Raises Refused (also when the right to look is taken away), Unreachable after PATIENCE.
    """
    cursor: str | None = None
    lost_at: float | None = None
    pause = PAUSE
    while True:
        try:
            query = {"logs": str(logs).lower(), "hints": "false"}
            with api.stream(f"/tickets/{ticket_id}/stream", query=query, last_id=cursor) as pieces:
                lost_at, pause = None, PAUSE
                for event in parse(lines(pieces)):
                    if event.kind == "problem":
                        raise Refused(int(event.data.get("status", 500)), event.data)
                    cursor = event.cursor or cursor
                    yield event
        except Dropped:
            pass
        except (Unreachable, NotAutoRke, Refused) as error:
            lost_at = lost_at or time.monotonic()
            if not passing(error) or time.monotonic() - lost_at > PATIENCE:
                raise
            pause = min(pause * 2, LONGEST_PAUSE)
        time.sleep(pause)


def passing(error: Unreachable | NotAutoRke | Refused) -> bool:
    """An AutoRke that is being restarted, or a proxy that cannot reach it: worth another try."""
    return error.status >= 500
