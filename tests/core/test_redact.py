"""P15 / T14: no registered secret is shown, in any form, for any chunking; and ordinary text is left alone."""

from __future__ import annotations

import base64
import json
import os
import string
import time
from collections.abc import Sequence
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autorke.core.redact import LONGEST_KEY, MASK, WINDOW, Secrets, Stream

EXAMPLES = int(os.environ.get("AUTORKE_FUZZ_EXAMPLES", "300"))
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7Zq\nk9Jq0x3vQ==\n-----END RSA PRIVATE KEY-----"
PRINTABLE = string.ascii_letters + string.digits + "!#$%&/+=?_-.:;<>\"'\\"
secret_texts = st.one_of(
    st.text(PRINTABLE, min_size=6, max_size=20),
    st.text(PRINTABLE, min_size=21, max_size=120),
    st.text("ab", min_size=6, max_size=40),  # overlaps with itself
    st.lists(st.text(PRINTABLE, min_size=6, max_size=70), min_size=2, max_size=4).map("\n".join),
    st.text("密码é/+=ab", min_size=6, max_size=30),
)
around = st.text("xyz \n.,", max_size=12)


def registered(*secrets: str) -> Secrets:
    known = Secrets()
    for secret in secrets:
        known.add(secret)
    return known


def spread(secret: str) -> dict[str, str]:
    """The forms in which output is known to carry a secret."""
    raw = secret.encode()
    forms = {"plain": secret, "json": json.dumps(secret), "url": quote(secret, safe=""), "repr": repr(secret)}
    forms["json-utf8"] = json.dumps(secret, ensure_ascii=False)
    for shift in range(3):
        forms[f"base64+{shift}"] = base64.b64encode(b"u:p"[:shift] + raw + b"!").decode()
    forms["base64-wrapped"] = base64.encodebytes(raw).decode()
    return forms


def leaked(secret: str, shown: str) -> list[str]:
    """Whole lines of the secret, its escaped, quoted and base64 texts, as far as they are long enough to be masked."""
    searched = [secret.strip(), *(line.strip() for line in secret.splitlines())]
    searched += [json.dumps(secret.strip())[1:-1], quote(secret.strip(), safe="")]
    raw = secret.strip().encode()
    for shift in range(3):
        cut = raw[(3 - shift) % 3 :]
        searched.append(base64.b64encode(cut[: len(cut) // 3 * 3]).decode())
    return [text for text in searched if len(text) >= 8 and text in shown]


def in_pieces(text: str, cuts: Sequence[int]) -> list[str]:
    places = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    return [text[a:b] for a, b in pairwise(places)]


def streamed(known: Secrets, pieces: Sequence[str]) -> str:
    stream = Stream(known)
    return "".join([*map(stream.feed, pieces), stream.flush()])


@settings(max_examples=EXAMPLES, deadline=None)
@given(secret=secret_texts, before=around, after=around, cuts=st.lists(st.integers(0, 400), max_size=8))
def test_no_form_of_a_secret_is_shown_for_any_chunking(secret: str, before: str, after: str, cuts: list[int]) -> None:
    if len(secret.strip()) < 8:
        return
    known = registered(secret)
    for name, form in spread(secret).items():
        text = before + form + after
        assert not leaked(secret, known.mask(text)), name
        assert not leaked(secret, streamed(known, in_pieces(text, cuts))), name
        assert not leaked(secret, streamed(known, list(text))), name


@pytest.mark.parametrize("secret", ["hunter2-hunter2", "p" * 80, "line-one-x\nline-two-y", KEY, "密码密码密码密码"])
def test_a_secret_split_at_every_place_is_masked(secret: str) -> None:
    known = registered(secret)
    for form in spread(secret).values():
        text = f"before {form} after"
        for cut in range(len(text)):
            shown = streamed(known, [text[:cut], text[cut:]])
            assert not leaked(secret, shown), (form, cut)
            assert shown.startswith("before ")
            assert shown.endswith(" after")


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    secrets=st.lists(st.text("abc", min_size=8, max_size=70), min_size=2, max_size=4),
    join=st.integers(1, 6),
    cuts=st.lists(st.integers(0, 300), max_size=6),
)
def test_overlapping_secrets_hide_each_other_completely(secrets: list[str], join: int, cuts: list[int]) -> None:
    """The end of one secret is the beginning of the next: masking one must not show the rest of the other."""
    text = "--" + secrets[0]
    for secret in secrets[1:]:
        text += secret if not text.endswith(secret[:join]) else secret[join:]
    known = registered(*secrets)
    shown = streamed(known, in_pieces(text, cuts))
    assert shown.replace(MASK, "") == "--"


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    secret=st.text(string.ascii_uppercase, min_size=8, max_size=50),
    text=st.text(string.ascii_lowercase + string.digits + " \n-:=é{}\"'", max_size=300),
    cuts=st.lists(st.integers(0, 300), max_size=8),
)
def test_ordinary_text_is_untouched(secret: str, text: str, cuts: list[int]) -> None:
    known = registered(secret, "apiVersion: v1\nclient-key-data: QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=\n")
    if "authorization" in text or "apiversion" in text:
        return
    assert known.mask(text) == text
    assert streamed(known, in_pieces(text, cuts)) == text


def test_short_values_mask_nothing() -> None:
    known = registered("true", "root", "", "     a     ")
    assert known.mask("true root a") == "true root a"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abc.def.ghi\nnext",
        '{"authorization": "Basic dXNlcjpwYXNz"}',
        "authorization=token s3cr3tvalue",
        f"key:\n{KEY}\nafter",
        f"key:\n{KEY.replace('RSA ', 'OPENSSH ')}",
    ],
)
def test_credentials_nobody_registered_are_masked_for_any_chunking(text: str) -> None:
    hidden = ("abc.def", "dXNlcjpw", "s3cr3t", "MIIEow", "k9Jq0x")
    for size in range(1, 40):
        pieces = [text[i : i + size] for i in range(0, len(text), size)]
        shown = streamed(Secrets(), pieces)
        assert MASK in shown
        assert not [word for word in hidden if word in shown], (size, shown)
    assert shown.endswith(("next", "}", "after", MASK))


def test_a_key_block_that_never_ends_does_not_hold_the_log_back_for_ever() -> None:
    stream = Stream(Secrets())
    stream.feed("-----BEGIN RSA PRIVATE KEY-----\n")
    shown = "".join(stream.feed("ordinary line\n") for _ in range(LONGEST_KEY // 10))
    assert MASK in shown
    assert stream.feed("the end\n").endswith("the end\n")


def test_a_stream_keeps_back_less_than_one_window() -> None:
    secret = "0123456789" * 30
    stream = Stream(registered(secret))
    shown = len(stream.feed(secret))
    assert shown == len(MASK)
    assert len(stream._tail) < WINDOW
    assert stream.feed(" rest") == " rest"


def test_a_secret_that_is_opened_again_and_again_takes_no_more_room() -> None:
    """A step opens the credential of its cluster once for each node: hours of work must not fill the memory."""
    known = registered(KEY, "one two three")
    room = sum(map(len, known._needles.values()))
    for _ in range(20):
        known.add(KEY)
    known.add(KEY + "\n")  # another text with the same lines
    assert sum(map(len, known._needles.values())) < room * 1.2
    assert MASK in known.mask(f"key: {KEY[40:80]}")


def test_json_is_masked_in_keys_and_values() -> None:
    known = registered("hunter2hunter2")
    value = {"hunter2hunter2": ["x hunter2hunter2", 1, None, ("hunter2hunter2",)], "n": 1.5}
    assert known.mask_json(value) == {MASK: ["x " + MASK, 1, None, [MASK]], "n": 1.5}


def test_many_secrets_cost_little_per_line() -> None:
    """A regular expression of all alternatives took over a second for what must not hold a runner up."""
    known = registered(*(os.urandom(900).hex() for _ in range(6)))
    stream = Stream(known)
    begun = time.thread_time()  # of the processor: what else the machine does costs nothing of it
    for _ in range(1000):
        stream.feed("2026-01-01T00:00:00Z TASK [docker] ok: node-1 changed=0\n")
    assert time.thread_time() - begun < 1.0
