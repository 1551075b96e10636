"""The last days in a person's own zone, as moments: the database is told when each began and needs no zone names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from autorke.core.errors import Text, Unprocessable

COUNT = 7


class BadZone(Unprocessable):
    code = "bad-time-zone"
    text = Text(zh="没有时区 {name}", en="No time zone {name}")
    remedy = Text(zh="使用 IANA 名称，如 Asia/Shanghai", en="Use an IANA name like Asia/Shanghai")


@dataclass(frozen=True)
class Days:
    """The days, oldest first, and when each began; the last one is today."""

    dates: Sequence[date]
    starts: Sequence[datetime]

    @property
    def first(self) -> datetime:
        return self.starts[0]

    @property
    def today(self) -> datetime:
        return self.starts[-1]


def last_days(now: datetime, zone: str) -> Days:
    """Seven days up to today. Raises BadZone."""
    try:
        where = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadZone(field="tz", name=zone) from error
    today = now.astimezone(where).date()
    dates = [today - timedelta(days=back) for back in reversed(range(COUNT))]
    return Days(dates, [datetime(day.year, day.month, day.day, tzinfo=where) for day in dates])
