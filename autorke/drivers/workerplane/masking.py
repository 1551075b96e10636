"""Keep secrets out of everything that is shown: plans, differences, log lines, error texts."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "••••••"

_SECRET_NAME = re.compile(
    r"(^[^-].*(PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL|DOCKER_CONFIG|FILE_DEPLOY|_KEY)|^KUBE|^--.*(password|secret|token)$)",
    re.IGNORECASE,
)
_USER_INFO = re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]*(?=@)")
_PEM = re.compile(r"-----BEGIN [A-Z ]+-----.*?(-----END [A-Z ]+-----|\Z)", re.DOTALL)
_ASSIGNMENT = re.compile(r"(?P<name>-{0,2}[A-Za-z_][A-Za-z0-9_.-]*)=(?P<value>.*)\Z", re.DOTALL)


def mask_text(text: str, secrets: Iterable[str] = ()) -> str:
    """`NAME=value` with a name that smells of a secret, user:password in URLs, PEM blocks, and the given secrets."""
    match = _ASSIGNMENT.match(text)
    if match and _SECRET_NAME.search(match["name"]):
        return f"{match['name']}={MASK}"
    masked = _PEM.sub(MASK, _USER_INFO.sub(MASK, text))
    for secret in secrets:
        if len(secret) >= 4:
            masked = masked.replace(secret, MASK)
    return masked
