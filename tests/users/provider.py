"""An OpenID provider on loopback: discovery, keys, token endpoint; the test plays the browser."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

CLIENT, SECRET = "autorke", "client-secret"


class Provider:
    """`claims` are put into the next id token on top of the right ones; None takes one away."""

    def __init__(self, url: str) -> None:
        self.issuer = url
        self.key: RSAKey | ECKey = RSAKey.generate_key(2048, {"kid": "1", "use": "sig"})
        self.signing: RSAKey | ECKey = self.key
        self.algorithm = "RS256"
        self.claims: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.discovery: dict[str, Any] = {}
        self.requests: list[str] = []

    def document(self, path: str) -> Any:
        self.requests.append(path)
        if path == "/.well-known/openid-configuration":
            return {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            } | self.discovery
        return KeySet([self.key]).as_dict(private=False) if path == "/keys" else None

    def allow(self, query: dict[str, list[str]]) -> str:
        """The person says yes: a code for this request."""
        code = f"code-{len(self.codes)}"
        self.codes[code] = {name: values[0] for name, values in query.items()}
        return code

    def token(self, form: dict[str, str], authorization: str) -> Any:
        wanted = self.codes.pop(form["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode()
        client = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if wanted is None or authorization != client or challenge.rstrip("=") != wanted["code_challenge"]:
            return None
        if form["redirect_uri"] != wanted["redirect_uri"]:
            return None
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "sub": "42", "iat": now, "exp": now + 60, "nonce": wanted["nonce"]}
        claims |= {"preferred_username": "Wei.Zhang", "name": "张伟", "email": "wei@example.com"} | self.claims
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.algorithm, "kid": self.signing.kid}
        return {"id_token": jwt.encode(header, claims, self.signing), "token_type": "Bearer", "access_token": "x"}


@contextmanager
def serving() -> Iterator[Provider]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(provider.document(self.path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._answer(provider.token(form, self.headers.get("authorization", "")))

        def _answer(self, document: Any) -> None:
            data = json.dumps(document or {"error": "invalid_request"}).encode()
            self.send_response(200 if document else 400)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = Provider(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
