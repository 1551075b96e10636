"""Two plans compared: what a person must read again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autorke.tickets.plandiff import changes

JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "b"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "id", "x", "y"]), inner),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, [("a.b", "changed", 1, 2)]),
        ({"a": 1}, {"b": None}, [("b", "added", None, None), ("a", "removed", 1, None)]),
        ({"a": 1}, {"a": True}, [("a", "changed", 1, True)]),
        ({"a": {}}, {"a": []}, [("a", "changed", {}, [])]),
        (
            {"targets": [{"name": "w1", "pool": "a"}, {"name": "w2"}]},
            {"targets": [{"name": "w2"}, {"name": "w1", "pool": "b"}, {"name": "w3"}]},
            [("targets[w1].pool", "changed", "a", "b"), ("targets[w3]", "added", None, {"name": "w3"})],
        ),
        (
            {"diff": ["-a", " b", "+c"]},
            {"diff": ["-a", "-x", "-y", " b"]},
            [("diff[1..2]", "added", None, ["-x", "-y"]), ("diff[4]", "removed", ["+c"], None)],
        ),
        ({"n": ["a", "b"]}, {"n": ["a", "z"]}, [("n[1]", "changed", "b", "z")]),
        (
            {"rows": [{"name": "a"}, {"name": "a"}]},
            {"rows": [{"name": "a"}, {"name": "b"}]},
            [("rows[1].name", "changed", "a", "b")],
        ),
    ],
)
def test_what_differs_is_told_at_its_place(before: Any, after: Any, told: list[Any]) -> None:
    assert [(it.path, it.kind, it.before, it.after) for it in changes(before, after)] == told


@given(JSON, JSON)
def test_nothing_is_told_exactly_when_nothing_differs(before: Any, after: Any) -> None:
    def typed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: typed(item) for key, item in value.items()}
        return [typed(item) for item in value] if isinstance(value, list) else (type(value), value)

    found = changes({"plan": before}, {"plan": after})
    same = typed(before) == typed(after)
    reordered = not found and not same
    assert not (same and found)
    if reordered:  # lists whose objects have names are the same in any order
        assert str(sorted(str(before))) == str(sorted(str(after)))


def test_long_lists_take_no_longer_than_a_person_waits() -> None:
    """A search for the two lines that differ would be quadratic: it is given up, so all is told as one change."""
    lines = [f"line {place % 7}" for place in range(20_000)]
    (change,) = changes({"diff": lines}, {"diff": ["first", *lines[1:-1], "last"]})
    assert (change.path, len(change.after)) == ("diff[0..19999]", 20_000)
