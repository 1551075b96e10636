"""Redaction at the source: registered secrets never leave this process in a log, an event, a plan or an error text.

A secret is masked in every form it may take in output: as it is, per line, base64 at its three alignments, URL-encoded
and JSON-escaped; a stream keeps back just the tail that may be the beginning of one (P15, engine.md §6).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from threading import Lock
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "******"
MIN_LENGTH = 6  # shorter values ("true", "root") would mask ordinary words
PIECE = 64
_PATTERNS = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"(?i)(?<=authorization: )\S+(?: \S+)?"),
)


def _forms(secret: str) -> Iterable[str]:
    """Every text under which the secret may show up."""
    lines = [line.strip() for line in secret.splitlines()] if "\n" in secret else []
    for value in [secret.strip(), *lines]:
        yield value
        yield json.dumps(value)[1:-1]
        yield json.dumps(value, ensure_ascii=False)[1:-1]
        yield quote(value, safe="")
        yield quote_plus(value)
    for raw in {secret.encode(), secret.strip().encode()}:
        for shift in range(3):
            text = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
            # the characters that also carry bits of the neighbours differ with them: leave those out
            head = (0, 2, 3)[shift]
            tail = len(text) if (shift + len(raw)) % 3 == 0 else len(text) - 1
            yield text[head:tail]
            yield text[head:tail].replace("+", "-").replace("/", "_")


def _pieces(form: str) -> Iterable[str]:
    """Long forms are matched piece by piece, so that a stream never has to keep back more than one piece."""
    for start in range(0, len(form), PIECE):
        piece = form[start : start + PIECE]
        if len(piece) >= MIN_LENGTH:
            yield piece
        elif start:
            yield form[-PIECE:]


class Secrets:
    """The secrets of one attempt. Thread-safe; register a value before it can appear anywhere."""

    def __init__(self) -> None:
        self._pieces: set[str] = set()
        self._prefixes: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._longest = 0
        self._lock = Lock()

    def add(self, secret: str | None) -> None:
        """Mask this value from now on; values shorter than six characters are left alone."""
        if not secret or len(secret.strip()) < MIN_LENGTH:
            return
        with self._lock:
            for form in _forms(secret):
                self._pieces.update(_pieces(form))
            ordered = sorted(self._pieces, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, ordered)))
            self._longest = len(ordered[0])
            self._prefixes = {piece[:n] for piece in self._pieces for n in range(1, len(piece))}

    def mask(self, text: str) -> str:
        """The text with every registered secret and every private key block replaced."""
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        for pattern in _PATTERNS:
            text = pattern.sub(MASK, text)
        return re.sub(r"(?:\*{6}){2,}", MASK, text) if MASK in text else text

    def mask_json(self, value: Any) -> Any:
        """The same for every string inside a JSON value, keys included."""
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, dict):
            return {self.mask(key): self.mask_json(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.mask_json(item) for item in value]
        return value

    def held_back(self, text: str) -> int:
        """Length of the longest end of `text` that may be the beginning of a secret."""
        for length in range(min(self._longest - 1, len(text)), 0, -1):
            if text[-length:] in self._prefixes:
                return length
        return 0

    def safe_cut(self, text: str, cut: int) -> int:
        """`cut`, or the start of the complete secret that it would cut through."""
        for match in self._pattern.finditer(text) if self._pattern is not None else ():
            if match.start() < cut < match.end():
                return match.start()
        return cut


class Stream:
    """Masks one stream of text whatever its chunking. Call `flush` at its end (or when it may not wait longer)."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._tail = ""

    def feed(self, text: str) -> str:
        """What may be shown now; an end that might be half a secret waits for the next call."""
        whole = self._tail + text
        begun = whole.rfind("-----BEGIN ")
        keep = self._secrets.held_back(whole)
        if begun >= 0 and "PRIVATE KEY" in whole[begun : begun + 40] and "-----END" not in whole[begun:]:
            keep = max(keep, len(whole) - begun)
        cut = self._secrets.safe_cut(whole, len(whole) - keep)
        self._tail = whole[cut:]
        return self._secrets.mask(whole[:cut])

    def flush(self) -> str:
        tail, self._tail = self._tail, ""
        return self._secrets.mask(tail)
