"""T14: secrets in every form, cut at every byte: nothing of them is shown, and what stands around them is.

A case is one secret in one form (as it is, per line, JSON, URL, base64 at three alignments, wrapped), cut at one place
or into pieces of random lengths, fed to a stream as drivers feed it or line by line as a runner's log is written.
"""

from __future__ import annotations

import base64
import itertools
import json
import random
import string
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

from autorke.core.redact import MASK, Secrets, Stream

ALPHABETS = (
    string.ascii_letters + string.digits,
    string.ascii_letters + string.digits + "!#$%&/+=?_-.:;<>\"'\\ ",
    "ab",  # overlaps with itself
    "密码钥匙é/+=ab",
    "0123456789abcdef",
)
BREAKS = ("\n", "\r\n", "\u2028", "\x0b")
"""What parts the lines of a secret; a runner's log begins a new line at each of them."""
CUTS_OF_A_FORM = 40
SHORTEST = 8
STAMP = "2026-01-02T03:04:05.678Z "


def run(seed: int, rounds: int) -> dict[str, Any]:
    """`rounds` cases. Raises AssertionError naming secret, form and cut of the first that shows something."""
    dice = random.Random(seed)
    cases = secrets = masked = 0
    while cases < rounds:
        secret = _secret(dice)
        known = Secrets()
        known.add(secret)
        secrets += 1
        for form, pieces, shown in itertools.islice(_cases(known, secret, dice), rounds - cases):
            cases += 1
            masked += shown.count(MASK)
            found = [part for part in _told(secret) if part in shown]
            assert not found, f"seed {seed}: {secret!r} as {form} in {pieces!r} shows {found!r}"
            assert "before" in shown, f"seed {seed}: {form}: what stands before {secret!r} is lost: {shown!r}"
            assert "after" in shown, f"seed {seed}: {form}: what stands behind {secret!r} is lost: {shown!r}"
    return {"cases": cases, "secrets": secrets, "leaks": 0, "masks": masked}


def _secret(dice: random.Random) -> str:
    """One line, or several of them, at least eight characters that are not blank."""
    alphabet = dice.choice(ALPHABETS)
    lines = dice.choice((1, 1, 1, 2, 5))
    parts = ["".join(dice.choices(alphabet, k=dice.choice((12, 20, 33, 64, 120)))) for _ in range(lines)]
    return dice.choice(BREAKS).join(parts).strip() or "12345678"


def _cases(known: Secrets, secret: str, dice: random.Random) -> Iterator[tuple[str, list[str], str]]:
    """Form, pieces, and what was shown of them."""
    for form, text in _forms(secret).items():
        whole = f"before {text} after"
        places = range(len(whole)) if len(whole) <= CUTS_OF_A_FORM else dice.sample(range(len(whole)), CUTS_OF_A_FORM)
        for cut in places:
            yield form, (pieces := [whole[:cut], whole[cut:]]), _streamed(known, pieces)
        pieces = _torn(whole, dice)
        yield form, pieces, _streamed(known, pieces)
        yield f"{form} in a log", [whole], _logged(known, whole)
        yield f"{form} at once", [whole], known.mask(whole)


def _forms(secret: str) -> dict[str, str]:
    raw = secret.encode()
    found = {
        "plain": secret,
        "json": json.dumps(secret),
        "json-utf8": json.dumps(secret, ensure_ascii=False),
        "repr": repr(secret),
        "url": quote(secret, safe=""),
        "form": quote_plus(secret),
        "base64-wrapped": base64.encodebytes(raw).decode(),
    }
    for shift in range(3):
        found[f"base64+{shift}"] = base64.b64encode(b"u:p"[:shift] + raw + b"!").decode()
        found[f"base64url+{shift}"] = base64.urlsafe_b64encode(b"u:p"[:shift] + raw + b"!").decode()
    return found


def _torn(text: str, dice: random.Random) -> list[str]:
    pieces, at = [], 0
    while at < len(text):
        size = dice.choice((1, 1, 2, 3, 7, 31, 32, 33, 100))
        pieces.append(text[at : at + size])
        at += size
    return pieces


def _streamed(known: Secrets, pieces: list[str]) -> str:
    stream = Stream(known)
    return "".join([*map(stream.feed, pieces), stream.flush()])


def _logged(known: Secrets, text: str) -> str:
    """As `logstore.LogWriter.line` writes it: every line with its time."""
    return _streamed(known, [f"{STAMP}{part}\n" for part in text.splitlines()])


def _told(secret: str) -> list[str]:
    """Whole texts, lines and encodings that must not be shown."""
    lines = {line.strip() for line in [secret, *secret.splitlines()]}
    encoders: list[Callable[[str], str]] = [str, lambda it: json.dumps(it)[1:-1], lambda it: quote(it, safe="")]
    found = {encode(line) for line in lines for encode in encoders}
    raw = secret.encode()
    for shift in range(3):
        part = raw[(3 - shift) % 3 :]
        found.add(base64.b64encode(part[: len(part) // 3 * 3]).decode())
    return [text for text in found if len(text) >= SHORTEST]
