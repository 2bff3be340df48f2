"""What people and programs see of a film that needs review, and records from before there was a `reason`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_films import flat_film
from PIL import Image
from small_models import METADATA, write_model

from pneumo_infer import Classifier, Prediction
from pneumo_infer.prediction import RECORD_FIELDS

# Shades of grey that the small model answers with each of the outcomes.
CERTAIN, UNCERTAIN, STRANGE = 123, 128, 60


@pytest.fixture
def model(tmp_path: Path) -> Path:
    band = json.dumps({"low": 0.2, "high": 0.8})
    return write_model(tmp_path / "m.onnx", {**METADATA, "domain_limit": "20", "uncertain_band": band})


@pytest.fixture
def films(tmp_path: Path) -> Path:
    folder = tmp_path / "films"
    folder.mkdir()
    for name, grey in (("a", CERTAIN), ("b", UNCERTAIN), ("c", STRANGE), ("d", STRANGE)):
        Image.fromarray(flat_film(grey)).save(folder / f"{name}.png")
    return folder


def run(model: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pneumo_infer", "--device", "cpu", "--model", model, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_table_and_closing_line_say_why(model: Path, films: Path) -> None:
    done = run(model, films)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[0] == ["outcome", "reason", "label", "probability", "film"]
    assert [row[:2] for row in rows[1:]] == [
        ["NORMAL", "NORMAL"],  # no reason: its label follows
        ["NEEDS_REVIEW", "uncertain"],
        ["NEEDS_REVIEW", "out_of_domain"],
        ["NEEDS_REVIEW", "out_of_domain"],
    ]
    assert len({line.index("films/") for line in done.stdout.splitlines()[1:]}) == 1
    assert "1 NORMAL, 3 NEEDS_REVIEW (2 out_of_domain, 1 uncertain); 4 films in " in done.stderr


def test_records_say_why(model: Path, films: Path) -> None:
    records = json.loads(run(model, "--json", films).stdout)
    assert [record["reason"] for record in records] == [None, "uncertain", "out_of_domain", "out_of_domain"]
    assert RECORD_FIELDS[:4] == ("path", "outcome", "reason", "label")
    unread = json.loads(run(model, "--json", films / "gone.png").stdout)
    assert (unread["outcome"], unread["reason"]) == (None, None)


def test_the_overlay_has_a_line_of_its_own_for_it(model: Path) -> None:
    def strip(grey: int) -> np.ndarray:
        film = flat_film(grey, 448)
        prediction: Prediction = Classifier(model, device="cpu").predict(film)
        return np.asarray(prediction.overlay(film))[448:]

    certain, uncertain, strange = strip(CERTAIN), strip(UNCERTAIN), strip(STRANGE)
    height = len(certain)
    assert len(uncertain) == len(strange) == 2 * height
    assert not np.array_equal(uncertain[:height], strange[:height])
    assert uncertain[:height].max() > 200


def test_old_records_resume_and_stay_as_they_are(model: Path, films: Path, tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    assert run(model, "--resume", file, films).returncode == 0
    before, *others = [json.loads(line) for line in file.read_text().splitlines()]
    del before["reason"]
    old = json.dumps({**before, "outcome": "needs a reader"}) + "\n"
    file.write_text(old)
    for _ in range(2):  # the second time over records of both kinds
        assert run(model, "--resume", file, films).returncode == 0
        assert file.read_text().startswith(old)
        assert [json.loads(line) for line in file.read_text().splitlines()[1:]] == others
