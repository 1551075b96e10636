"""Days as a person means them: in their own zone, also when the clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from autorke.overview.days import BadZone, last_days

NOW = datetime(2026, 11, 25, 17, 30, tzinfo=UTC)


def test_today_is_that_of_the_zone() -> None:
    assert last_days(NOW, "UTC").dates[-1] == date(2026, 11, 25)
    shanghai = last_days(NOW, "Asia/Shanghai")
    assert shanghai.dates == [date(2026, 11, 20 + back) for back in range(7)]
    assert shanghai.today == datetime(2026, 11, 25, 16, tzinfo=UTC)
    assert shanghai.first == datetime(2026, 11, 19, 16, tzinfo=UTC)


def test_a_day_may_have_25_hours() -> None:
    starts = last_days(datetime(2026, 10, 27, 12, tzinfo=UTC), "Europe/Berlin").starts
    moments = [start.astimezone(UTC) for start in starts]
    lengths = [after - before for before, after in pairwise(moments)]
    assert sorted(lengths)[-2:] == [timedelta(hours=24), timedelta(hours=25)]


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../../../etc/passwd", "Asia", "/etc/localtime", "a\u0000b"])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(BadZone):
        last_days(NOW, name)
