from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from autorke.core import crypto
from autorke.machines import search
from autorke.machines.models import Machine
from autorke.web.errors import BadFilter
from autorke.web.paging import PageQuery
from tests.machines.make import machine


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTORKE_SECRET_KEY", crypto.new_key())


@pytest.fixture
def fleet(session: Session, _key: None) -> list[Machine]:
    from autorke.core.settings import get_settings

    get_settings.cache_clear()
    return [
        machine(session, hostname="web-1", address="10.1.0.9", sn="A1", rack="B1", cpu_cores=8),
        machine(session, hostname="web-2", address="10.1.0.10", sn="A2", rack="B1", cpu_cores=16),
        machine(session, hostname="db-1", address="10.1.1.7", sn="A3", rack="B2", cpu_cores=16),
        machine(session, hostname="db-1", address="fd00::7", sn="A4", rack="", cpu_cores=0),
    ]


def _names(session: Session, *filters: str, sort: str | None = None) -> list[str]:
    found = search.list_page(session, PageQuery(limit=50, filters=filters, sort=sort))
    return [f"{one.hostname}/{one.sn}" for one in found.items]


def test_every_column_sorts_both_ways_and_pages_through(session: Session, fleet: list[Machine]) -> None:
    for name in (name for name, column in search.COLUMNS.items() if column.sortable):
        for sort in (name, f"-{name}"):
            seen, cursor = [], None
            while True:
                found = search.list_page(session, PageQuery(limit=1, cursor=cursor, sort=sort))
                seen += [one.id for one in found.items]
                cursor = found.next
                if cursor is None:
                    break
            assert sorted(seen) == sorted(one.id for one in fleet), sort


def test_addresses_sort_by_number(session: Session, fleet: list[Machine]) -> None:
    assert _names(session, sort="address") == ["web-1/A1", "web-2/A2", "db-1/A3", "db-1/A4"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["address:within:10.1.0.0/24"], ["web-1/A1", "web-2/A2"]),
        (["address:prefix:10.1.0.1"], ["web-2/A2"]),
        (["address:contains:.1.7"], ["db-1/A3"]),
        (["address:eq:FD00:0::7"], ["db-1/A4"]),
        (["internal_address:in:10.1.0.9,10.1.1.7"], ["db-1/A3", "web-1/A1"]),
        (["address:gt:10.1.0.9", "rack:eq:B1"], ["web-2/A2"]),
        (["hostname:prefix:web", "cpu_cores:ge:16"], ["web-2/A2"]),
        (["state:in:free,reserved", "rack:eq:"], ["db-1/A4"]),
        (["address:prefix:%"], []),
    ],
)
def test_filters(session: Session, fleet: list[Machine], filters: list[str], expected: list[str]) -> None:
    assert _names(session, *filters) == expected


@pytest.mark.parametrize("text", ["address:within:nowhere", "address:like:x", "colour:eq:red", "cpu_cores:eq:many"])
def test_a_filter_that_means_nothing_is_refused(session: Session, fleet: list[Machine], text: str) -> None:
    with pytest.raises(BadFilter):
        _names(session, text)


def test_pasted_list(session: Session, fleet: list[Machine]) -> None:
    pasted = ["10.1.0.9", " A2 ", "WEB-2", "db-1", "nobody", "10.9.9.9", "10.1.0.9", "", "fd00:0::7"]
    found = search.find_many(session, pasted)
    assert [(key, one.sn) for key, one in found.matches] == [
        ("10.1.0.9", "A1"), ("A2", "A2"), ("WEB-2", "A2"), ("db-1", "A3"), ("db-1", "A4"), ("fd00:0::7", "A4"),
    ]  # fmt: skip
    assert (found.missing, found.ambiguous, found.repeated) == (["nobody", "10.9.9.9"], ["db-1"], ["10.1.0.9"])


def test_pasted_networks_and_ranges(session: Session, fleet: list[Machine]) -> None:
    found = search.find_many(session, ["10.1.0.0/24", "10.1.0.10-10.1.1.255", "10.3.0.0/16"])
    assert [(key, one.sn) for key, one in found.matches] == [
        ("10.1.0.0/24", "A1"), ("10.1.0.0/24", "A2"), ("10.1.0.10-10.1.1.255", "A2"), ("10.1.0.10-10.1.1.255", "A3"),
    ]  # fmt: skip
    assert found.missing == ["10.3.0.0/16"]
    assert found.ambiguous == []


@pytest.mark.parametrize("key", ["'; drop table machine --", "$(reboot)", "10.0.0.0/99", "a\nb", "机器", "1-2-3"])
def test_hostile_keys_are_just_missing(session: Session, fleet: list[Machine], key: str) -> None:
    assert search.find_many(session, [key]).missing == [key]


def test_a_list_that_is_too_long_is_refused(session: Session) -> None:
    with pytest.raises(search.TooManyKeys):
        search.find_many(session, [str(number) for number in range(search.MAX_KEYS + 1)])


def test_a_network_with_too_many_machines_is_refused(
    session: Session, fleet: list[Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MAX_KEYS", 2)
    with pytest.raises(search.TooManyKeys):
        search.find_many(session, ["10.1.0.0/16"])
