"""Who may use the service, and what a browser is told about its answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from serving import png

from pneumo_infer.serve.http.guard import SECURITY_HEADERS
from pneumo_infer.serve.http.page import STATIC
from pneumo_infer.serve.http.settings import Settings, digest

Start = Callable[..., TestClient]
TOKEN = "a-token-of-some-length"


def test_a_token_protects_films_model_and_metrics(start: Start) -> None:
    client = start(token_digest=digest(TOKEN), local_only=False)
    for headers in ({}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": f"Basic {TOKEN}"}):
        answer = client.post("/v1/predictions", content=png(1), headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert client.get("/v1/model", headers=headers).status_code == 401
        assert client.get("/metrics", headers=headers).status_code == 401
    assert (
        client.post("/v1/predictions", content=png(1), headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    )
    assert client.get("/").status_code == client.get("/health/ready").status_code == 200


@pytest.mark.parametrize(
    ("host", "local_only", "status"),
    [
        ("localhost", True, 200),
        ("LOCALHOST:8000", True, 200),
        ("[::1]:8000", True, 200),
        ("127.0.0.1", True, 200),
        ("attacker.example", True, 421),
        ("127.0.0.1.attacker.example:8000", True, 421),
        ("", True, 421),
        ("films.hospital.example", False, 200),
    ],
)
def test_other_names_of_this_machine_are_refused(start: Start, host: str, local_only: bool, status: int) -> None:
    assert start(local_only=local_only).get("/v1/model", headers={"Host": host}).status_code == status


def test_pages_from_elsewhere_are_refused_unless_allowed(start: Start) -> None:
    origin = "https://viewer.example"
    headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
    refused = start().post("/v1/predictions", content=png(1), headers=headers)
    assert refused.status_code == 403
    assert "access-control-allow-origin" not in refused.headers
    allowed = start(origins=(origin,)).post("/v1/predictions", content=png(1), headers=headers)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == origin


@pytest.mark.parametrize("address", ["/", "/docs", "/page.js", "/v1/model", "/nowhere", "/health/live"])
def test_every_answer_has_security_headers(client: TestClient, address: str) -> None:
    answer = client.get(address)
    assert {name: answer.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


def test_no_page_loads_anything_from_elsewhere_or_has_inline_code(client: TestClient) -> None:
    texts = [path.read_text() for path in STATIC.iterdir()] + [client.get("/docs").text]
    for text in texts:
        addresses = set(re.findall(r"https?://[^\s\"'<]+", text))
        assert {
            address for address in addresses if not address.startswith(("http://www.w3.org/", "http://127.0.0.1"))
        } == set()
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style", text)


def test_errors_of_all_kinds_have_one_form(client: TestClient) -> None:
    for answer in (
        client.get("/nowhere"),
        client.get("/v1/predictions"),
        client.post("/v1/predictions?heatmap=perhaps"),
    ):
        assert answer.status_code in (404, 405, 422)
        assert re.fullmatch(r"[^:]+: .+; .+", answer.json()["error"])


def test_the_description_has_examples_of_records(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    answer = described["paths"]["/v1/predictions"]["post"]["responses"]["200"]["content"]["application/json"]
    example = answer["examples"]["one film as the body"]["value"]
    record = client.post("/v1/predictions", content=png(1)).json()
    assert list(example) == list(record)
    assert "outcome" in client.get("/docs").text


def test_settings_reach_worker_processes_without_the_token(tmp_path: Path) -> None:
    settings = Settings(model=str(tmp_path), threshold="screening", token_digest=digest(TOKEN), origins=("https://a",))
    assert Settings.from_json(settings.to_json()) == settings
    assert TOKEN not in settings.to_json()
    assert settings.accepts(TOKEN)
    assert not settings.accepts("")
