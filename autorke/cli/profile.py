"""Where the command line keeps who is signed in: one JSON file of mode 0600, or two environment variables."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from autorke.cli.errors import BadUsage, FileUnreadable, NotSignedIn, ProfileOpenToOthers

DEFAULT_URL = "http://127.0.0.1:8000"
URL_VARIABLE = "AUTORKE_URL"
TOKEN_VARIABLE = "AUTORKE_TOKEN"  # noqa: S105  a name, not a token


@dataclass(frozen=True)
class Profile:
    """One sign-in. `token_id` is empty when the token was brought along rather than made by `login`."""

    url: str
    token: str = field(repr=False)
    user: str = ""
    token_id: str = ""


def path() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "autorke" / "config.json"


def clean_url(text: str) -> str:
    """`http(s)://host[:port][/path]` without a trailing slash. Raises BadUsage; never accepts a password in it."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) and "@" not in parts.netloc
    except ValueError:
        good = False
    if not good or not text.isprintable() or " " in text:
        raise BadUsage(
            field="URL", zh="应为 http://主机[:端口] 或 https://…", en="http://host[:port] or https://… expected"
        )
    return text.rstrip("/").removesuffix("/api/v1")


def stored() -> Profile | None:
    """What `login` kept, None when nobody is signed in. Raises ProfileOpenToOthers, FileUnreadable."""
    file = path()
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & 0o077:
            raise ProfileOpenToOthers(field=str(file), file=file, mode=f"{mode:04o}")
        return Profile(**json.loads(file.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise FileUnreadable(field=str(file), file=file, reason=type(error).__name__) from error


def keep(profile: Profile) -> None:
    """Store a sign-in in place of the one before; at no moment is the file readable by others or half written."""
    file = path()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as stream:
        json.dump(asdict(profile), stream, indent=2)
    fresh.replace(file)


def forget() -> None:
    path().unlink(missing_ok=True)


def usual_url() -> str:
    """The address meant when none is given: the environment's, the stored one, this machine's."""
    given = os.environ.get(URL_VARIABLE)
    if given:
        return clean_url(given)
    kept = stored()
    return kept.url if kept else DEFAULT_URL


def current() -> Profile:
    """Whom to be for the next request. A stored token is only ever sent to the address that it was made for.

    Raises NotSignedIn.
    """
    token = os.environ.get(TOKEN_VARIABLE)
    if token:
        return Profile(url=usual_url(), token=token.strip())
    kept = stored()
    given = os.environ.get(URL_VARIABLE)
    if kept is None or (given and clean_url(given) != kept.url):
        raise NotSignedIn()
    return kept
