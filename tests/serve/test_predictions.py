"""What the service answers about films, and which requests it refuses."""

from __future__ import annotations

import base64
import io
import json
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from infer_command import infer, small_film
from made_films import dicom_film, draw_film
from PIL import Image
from serving import png
from small_models import METADATA

from pneumo_infer import Classifier, Limits

Start = Callable[..., TestClient]
BROKEN = b"not a film"


def form(*films: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("film", (f"{number}.png", film)) for number, film in enumerate(films)]


def test_a_record_is_that_of_the_command_line(client: TestClient, model: Path, tmp_path: Path) -> None:
    film = small_film(tmp_path / "film.png", 129)
    printed = json.loads(infer("--json", "--model", model, "--device", "cpu", film).stdout)
    (sent,) = client.post("/v1/predictions", files=[("film", ("film.png", film.read_bytes()))]).json()
    assert sent == printed | {"path": "film.png", "film_modified": None}
    raw = client.post("/v1/predictions", content=film.read_bytes()).json()
    assert raw == sent | {"path": f"<{len(film.read_bytes())} bytes>"}


def test_an_unreadable_film_is_a_record_of_its_own(client: TestClient) -> None:
    answer = client.post("/v1/predictions", files=form(png(200), BROKEN, b"", png(50)))
    assert answer.status_code == 200
    records = answer.json()
    assert [record["outcome"] for record in records] == ["PNEUMONIA", None, None, "NORMAL"]
    assert records[1]["error"].startswith("1.png: not a JPEG")
    assert records[2]["error"].startswith("2.png: empty file")
    assert client.post("/v1/predictions", content=BROKEN).json()["error"].startswith("<10 bytes>: not a JPEG")


def test_a_threshold_is_a_name_or_a_number(client: TestClient, model: Path) -> None:
    film = png(127)  # logit -1 less a little
    for text, threshold in (("screening", "screening"), ("0.9", 0.9), ("0.1", 0.1)):
        expected = Classifier(model, device="cpu", threshold=threshold).predict(film).to_dict()
        assert client.post(f"/v1/predictions?threshold={text}", content=film).json() | {"film_bytes": None} == expected
    for text in ("nonsense", "2", "nan", "-1", "x" * 200):
        answer = client.post(f"/v1/predictions?threshold={text}", content=film)
        assert answer.status_code == 422
        assert "threshold" in answer.text or "operating point" in answer.text
    assert client.post("/v1/predictions?threshold=0.9", content=BROKEN).json()["threshold"] == 0.9


def test_a_film_for_review_stays_one_at_every_threshold(start: Start, tmp_path: Path) -> None:
    from infer_command import small_model

    client = start(model=str(small_model(tmp_path / "narrow.onnx", domain_limit="1.0")))
    records = [client.post(f"/v1/predictions?threshold={t}", content=png(90)).json() for t in (0, 1)]
    assert [record["label"] for record in records] == ["PNEUMONIA", "NORMAL"]
    assert {(record["outcome"], record["reason"]) for record in records} == {("NEEDS_REVIEW", "out_of_domain")}


@pytest.mark.parametrize("isolate", [False, True])
def test_evidence_as_numbers_and_pictures(start: Start, isolate: bool) -> None:
    client = start(isolate=isolate)
    film = dicom_film(draw_film(0, height=1300, width=900).astype(np.uint16) * 16)
    record = client.post("/v1/predictions?heatmap=true&pictures=true", content=film).json()
    assert np.shape(record["heatmap"]) == (7, 7)
    pictures = record["pictures"]
    assert (pictures["width"], pictures["height"]) == (709, 1024)
    shown, evidence = (_from_url(pictures[name]) for name in ("film", "evidence"))
    assert (shown.mode, shown.size, evidence.mode) == ("L", (709, 1024), "RGBA")
    assert shown.size[0] / shown.size[1] == pytest.approx(evidence.size[0] / evidence.size[1], abs=0.01)
    broken = client.post("/v1/predictions?heatmap=true&pictures=true", content=BROKEN).json()
    assert (broken["heatmap"], broken["pictures"]) == (None, None)
    assert client.post("/v1/predictions?pictures=true", files=form(png(1), png(2))).status_code == 422


def from_png(encoded: bytes) -> Image.Image:
    with Image.open(io.BytesIO(encoded)) as picture:
        return picture.copy()


def _from_url(address: str) -> Image.Image:
    kind, _, text = address.partition(",")
    assert kind == "data:image/png;base64"
    return from_png(base64.b64decode(text))


def test_an_overlay_is_the_one_of_the_library(client: TestClient, model: Path) -> None:
    film = png(140)
    answer = client.post("/v1/overlays?threshold=screening", content=film)
    assert answer.headers["content-type"] == "image/png"
    expected = Classifier(model, device="cpu", threshold="screening").predict(film).overlay(film)
    np.testing.assert_array_equal(np.asarray(from_png(answer.content)), np.asarray(expected))
    refused = client.post("/v1/overlays", files=form(BROKEN))
    assert refused.status_code == 422
    assert refused.json()["error"].startswith("0.png: not a JPEG")


@pytest.mark.parametrize(
    ("status", "problem", "request_", "settings"),
    [
        (413, "more than 1000 bytes", {"content": bytes(1001)}, {"limits": Limits(encoded_bytes=1000)}),
        (413, "more than 1000 bytes", {"content": iter([bytes(600)] * 2)}, {"limits": Limits(encoded_bytes=1000)}),
        (413, "more than 2 films", {"files": form(png(1), png(2), png(3))}, {"max_films": 2}),
        (422, "has no film", {"content": b""}, {}),
        (422, "not a file", {"data": {"film": "text"}, "files": form(png(1))}, {}),
        (422, "cut off", {"content": b"--x\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, {}),
        (
            422,
            "malformed",
            {"content": b"nonsense", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
            {},
        ),
        (422, "boundary", {"content": b"nonsense", "headers": {"Content-Type": "multipart/form-data"}}, {}),
        (503, "requests are in it", {"content": png(1)}, {"queue_requests": 0}),
        (503, "no room", {"content": bytes(5000)}, {"queue_bytes": 1000}),
        (503, "no room", {"content": iter([bytes(600)] * 2)}, {"queue_bytes": 1000}),
        (504, "took more than 0 s", {"content": png(1)}, {"answer_seconds": 0}),
    ],
)
def test_requests_that_are_refused(
    start: Start, status: int, problem: str, request_: dict[str, Any], settings: dict[str, Any]
) -> None:
    client = start(**settings)
    answer = client.post("/v1/predictions", **request_)
    assert answer.status_code == status
    assert problem in answer.json()["error"]
    assert ("retry-after" in answer.headers) == (status == 503)
    budget = client.app.state.films.budget  # type: ignore[attr-defined]
    assert (budget.requests, budget.bytes) == (0, 0)


def test_too_many_pixels_are_the_error_of_one_film(start: Start) -> None:
    client = start(limits=Limits(pixels=10_000))
    assert "exceeds the limit of 10000 pixels" in client.post("/v1/predictions", content=png(1)).json()["error"]


def test_no_film_is_written_to_a_temporary_file(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    with pytest.raises(FileNotFoundError), tempfile.TemporaryFile():
        pass
    rows = np.random.default_rng(0).integers(0, 256, (2000, 2000), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(rows).save(out, format="BMP")
    assert client.post("/v1/predictions", files=form(out.getvalue())).json()[0]["error"] is None


def test_each_of_many_callers_gets_the_answers_to_its_own_films(client: TestClient) -> None:
    def call(caller: int) -> list[tuple[str, str, str]]:
        greys = [40 + 20 * caller, 50 + 20 * caller, 200]
        answer = client.post("/v1/predictions?heatmap=true", files=form(*map(png, greys)))
        for grey, record in zip(greys, answer.json(), strict=True):
            assert record["heatmap"][0][0] == pytest.approx(grey, abs=1)
        return [record["path"] for record in answer.json()]

    with ThreadPoolExecutor(8) as pool:
        for names in pool.map(call, [number % 4 for number in range(40)]):
            assert names == ["0.png", "1.png", "2.png"]
    text = client.get("/metrics").text
    assert 'pneumo_films_total{outcome="PNEUMONIA"' in text
    films, runs = (float(_metric(text, f"pneumo_batch_films_{part}")) for part in ("sum", "count"))
    assert films == 120
    assert runs < films


def _metric(text: str, name: str) -> str:
    (line,) = (line for line in text.splitlines() if line.startswith(f"{name} "))
    return line.split()[1]


def test_metrics_tell_outcomes_errors_and_distances(client: TestClient) -> None:
    client.post("/v1/predictions", files=form(png(200), png(50), BROKEN))
    client.post("/nowhere/JohnDoe.png")
    text = client.get("/metrics").text
    for outcome in ("PNEUMONIA", "NORMAL", "error"):
        assert f'pneumo_films_total{{outcome="{outcome}",reason=""}} 1.0' in text
    assert _metric(text, "pneumo_domain_distance_ratio_count") == "2.0"
    assert float(_metric(text, "pneumo_domain_distance_ratio_sum")) == pytest.approx((72 + 78) / 200, abs=0.01)
    assert 'pneumo_request_seconds_count{route="/v1/predictions",status="200"} 1.0' in text
    assert _metric(text, "pneumo_queue_bytes") == "0.0"
    assert "JohnDoe" not in text


def test_the_model_is_described_as_info_does(client: TestClient, model: Path) -> None:
    described = client.get("/v1/model").json()
    printed = json.loads(infer("--info", "--json", "--model", model, "--device", "cpu").stdout)
    assert described.pop("model") == "small.onnx"
    assert (described.pop("threshold"), described.pop("operating point")) == (0.5, "balanced")
    assert described.items() <= printed.items()
    assert described["operating points"] == json.loads(METADATA["operating_points"])
    assert client.get("/health/live").json() == {"status": "live"}
    assert client.get("/health/ready").json() == {"status": "ready"}
