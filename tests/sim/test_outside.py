"""OIDC, asked by the product's own sign-in, and VCalico, whose callbacks the product's own rule verifies."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from autorke.sim.process import SimHandle
from autorke.users import oidc
from autorke.users.errors import OidcRefused
from autorke.workflow.callbacks import sign
from tests.api import secret_key

__all__ = ["secret_key"]

CALLBACK = "http://127.0.0.1:9/api/v1/session/oidc/callback"


@pytest.fixture
def settings(sim: SimHandle, secret_key: str) -> oidc.OidcSettings:
    return oidc.OidcSettings(issuer=sim.index["oidc"]["issuer"], client_id=sim.index["oidc"]["client_id"])


def consent(url: str, name: str) -> dict[str, str]:
    """Pick a person on the provider's page; what the browser brings back."""
    with httpx.Client(trust_env=False, timeout=60) as browser:
        page = browser.get(url)
        assert page.status_code == 200
        assert name in page.text
        answer = browser.get(url, params={**_query(url), "login_hint": name})
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(CALLBACK)
    return _query(answer.headers["location"])


def _query(url: str) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}


def test_a_person_signs_in_with_the_products_own_client(settings: oidc.OidcSettings) -> None:
    begun = oidc.start(settings, callback_url=CALLBACK, return_to="/tickets")
    back = consent(begun.url, "wang-fang")
    who = oidc.finish(settings, callback_url=CALLBACK, cookie=begun.cookie, **back)

    assert (who.name, who.display_name, who.return_to) == ("wang-fang", "王芳 (approver)", "/tickets")
    assert who.subject.startswith(f"{settings.issuer} ")
    with pytest.raises(OidcRefused):
        oidc.finish(settings, callback_url=CALLBACK, cookie=begun.cookie, **back)


def test_a_code_is_worth_nothing_with_another_verifier_or_address(settings: oidc.OidcSettings) -> None:
    mine = oidc.start(settings, callback_url=CALLBACK, return_to=None)
    other = oidc.start(settings, callback_url=CALLBACK, return_to=None)
    stolen = consent(other.url, "li-wei")["code"]
    state = _query(mine.url)["state"]
    with pytest.raises(OidcRefused):
        oidc.finish(settings, callback_url=CALLBACK, code=stolen, state=state, cookie=mine.cookie)

    begun = oidc.start(settings, callback_url=CALLBACK, return_to=None)
    back = consent(begun.url, "li-wei")
    with pytest.raises(OidcRefused):
        oidc.finish(settings, callback_url=f"{CALLBACK}/else", cookie=begun.cookie, **back)


def test_another_client_is_not_served(settings: oidc.OidcSettings) -> None:
    begun = oidc.start(settings, callback_url=CALLBACK, return_to=None)
    answer = httpx.get(begun.url.replace("client_id=autorke", "client_id=other"), trust_env=False, timeout=60)
    assert answer.status_code == 400
    assert answer.json()["error"] == "unauthorized_client"


class Receiver:
    """Where VCalico reports: refuses the first `refusals` calls, keeps every call."""

    def __init__(self, refusals: int) -> None:
        self.calls: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.calls.append((dict(self.headers.items()), body))
                self.send_response(503 if len(receiver.calls) <= refusals else 200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                return

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/callback"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def wait(self, calls: int) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and len(self.calls) < calls:
            time.sleep(0.02)
        assert len(self.calls) == calls

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver(refusals=1)
    yield made
    made.close()


def order(sim: SimHandle, receiver: Receiver, key: str, **more: Any) -> httpx.Response:
    vcalico = sim.index["vcalico"]
    headers = {"Authorization": f"Bearer {vcalico['token']}", "Idempotency-Key": key}
    body = {
        "cluster": "alpha",
        "nodes": [{"name": "free-001", "address": "127.64.0.4"}],
        "callback": {"url": receiver.url, "secret": "s3cret"},
        **more,
    }
    return httpx.post(f"{vcalico['url']}/api/v1/orders", headers=headers, json=body, trust_env=False, timeout=60)


def test_an_order_is_taken_once_and_reported_signed_until_it_is_accepted(sim: SimHandle, receiver: Receiver) -> None:
    first, again = order(sim, receiver, "k1"), order(sim, receiver, "k1")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert "s3cret" not in first.text
    assert order(sim, receiver, "k1", cluster="beta").status_code == 409

    sim.complete_order(first.json()["id"])
    receiver.wait(2)
    for headers, body in receiver.calls:
        assert headers["X-AutoRke-Signature"] == sign("s3cret", headers["X-AutoRke-Timestamp"], body)
    report = json.loads(receiver.calls[-1][1])
    assert (report["order_id"], report["state"]) == (first.json()["id"], "completed")
    assert report["result"]["node_labels"].keys() == {"free-001"}
    assert report["result"]["ippools"][0]["cidr"].endswith(".0/24")


def test_an_order_can_be_rejected(sim: SimHandle, receiver: Receiver) -> None:
    ident = order(sim, receiver, "k2").json()["id"]
    sim.complete_order(ident, state="rejected", result={"reason": "no addresses left"})
    receiver.wait(2)
    assert json.loads(receiver.calls[-1][1]) == {
        "order_id": ident,
        "state": "rejected",
        "result": {"reason": "no addresses left"},
    }


def test_an_order_that_was_taken_though_nobody_heard_the_answer(sim: SimHandle, receiver: Receiver) -> None:
    sim.fault("vcalico:POST", "cut_after", "vcalico", times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        order(sim, receiver, "k3")
    assert order(sim, receiver, "k3").status_code == 200, "the repeat finds the same order"


@pytest.mark.parametrize(("key", "token", "status"), [("", None, 422), ("k9", "wrong", 401)])
def test_an_order_without_key_or_token_is_refused(sim: SimHandle, key: str, token: str | None, status: int) -> None:
    vcalico = sim.index["vcalico"]
    headers = {"Authorization": f"Bearer {token or vcalico['token']}", "Idempotency-Key": key}
    body = {"callback": {"url": "http://127.0.0.1:9/", "secret": "x"}}
    answer = httpx.post(f"{vcalico['url']}/api/v1/orders", headers=headers, json=body, trust_env=False, timeout=60)
    assert answer.status_code == status
