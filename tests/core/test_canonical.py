"""One form for hashing: independent of order and of how a value came to be, and never of a float."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autorke.core.canonical import NotCanonical, canonical, sha256_hex, storable, without_floats

keys = st.text(max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)
anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


def turned(value: Any) -> Any:
    """The same JSON with every object's keys in the opposite order and lists as tuples."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(list(value))}
    return tuple(map(turned, value)) if isinstance(value, list) else value


@given(values)
def test_order_of_keys_does_not_matter_and_the_form_is_json(value: Any) -> None:
    assert canonical(value) == canonical(turned(value))
    assert json.loads(canonical(value)) == value
    assert sha256_hex(json.loads(canonical(value))) == sha256_hex(value)


def test_the_form_itself() -> None:
    assert canonical({"b": [1, "é"], "a": None}) == '{"a":null,"b":[1,"é"]}'.encode()
    assert sha256_hex({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@pytest.mark.parametrize("value", [1.5, [1.0], {"a": {"b": (math.nan,)}}])
def test_floats_are_refused(value: Any) -> None:
    with pytest.raises(NotCanonical):
        canonical(value)


@given(anything)
def test_any_json_can_be_made_hashable_and_storable(value: Any) -> None:
    safe = storable(without_floats(value))
    assert json.loads(canonical(safe)) == safe
    text = json.dumps(storable(value), allow_nan=False, ensure_ascii=False)
    assert "\0" not in text
    assert "\\u0000" not in text
    text.encode()


def test_what_postgres_takes_is_left_as_it_is() -> None:
    value = {"a": [1, 1.5, True, None, "中文 😀"]}
    assert storable(value) == value
    assert storable({"n\0": "\ud800", 7: math.inf}) == {"n�": "?", "7": "inf"}
