"""pneumo-infer --drift on folders, on earlier records and on both: its report and its exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_films import draw_brightness
from small_models import METADATA, write_model

from pneumo_infer.drift.comparison import LEAST_FILMS
from pneumo_infer.drift.reference import measure_reference

PAGE = Path(__file__).parents[2] / "docs" / "drift.md"


def brightness(rng: np.random.Generator, films: int) -> np.ndarray:
    """Draw mean greys: the small model takes those above 128 for pneumonia, and how far from it for distance."""
    return np.where(rng.random(films) < 0.6, rng.normal(131, 1, films), rng.normal(125, 1, films))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    greys = brightness(np.random.default_rng(0), 400)
    reference = measure_reference(1 / (1 + np.exp(128 - greys)), abs(greys - 128), greys > 128, 6.0)
    metadata = {**METADATA, "domain_limit": "6.0", "reference": json.dumps(reference.to_dict())}
    return write_model(tmp_path_factory.mktemp("model") / "m.onnx", metadata)


def draw(folder: Path, films: int, brighter: float = 0.0, seed: int = 1) -> Path:
    return draw_brightness(folder, brightness(np.random.default_rng(seed), films) + brighter)


def run(model: Path | None, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    chosen = ["--model", model] if model else []
    command = [sys.executable, "-m", "pneumo_infer", "--device", "cpu", *chosen, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_folder_like_the_validation_films(model: Path, tmp_path: Path) -> None:
    done = run(model, "--drift", draw(tmp_path / "ward", 80))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("like: ")
    assert done.stdout.splitlines()[-2] == "80 films compared with 400 validation films of m.onnx"


def test_a_folder_unlike_them(model: Path, tmp_path: Path) -> None:
    done = run(model, "--drift", "--json", draw(tmp_path / "ward", 80, brighter=5))
    report = json.loads(done.stdout)
    assert (done.returncode, report["verdict"], report["films"], report["unreadable"]) == (1, "unlike", 80, 0)
    assert not report["measures"]["out_of_domain"]["passed"]
    assert report["reference"]["films"] == 400
    assert report["quantiles"]["domain_distance"]["0.5"] > report["reference"]["quantiles"]["domain_distance"]["0.5"]
    rows = run(model, "--drift", tmp_path / "ward").stdout.splitlines()
    assert next(row for row in rows if row.startswith("out of domain")).endswith("above")
    assert rows[-1].startswith("unlike: above the limit: out_of_domain")


def test_too_few_films_have_an_exit_code_of_their_own(model: Path, tmp_path: Path) -> None:
    done = run(model, "--drift", draw(tmp_path / "ward", 3), tmp_path / "gone.png")
    assert done.returncode == 3
    assert "gone.png: does not exist" in done.stderr
    assert "3 films (1 unreadable) compared with" in done.stdout
    assert done.stdout.splitlines()[-1] == f"too few films: 3, but a verdict needs at least {LEAST_FILMS}"
    nothing = run(model, "--drift", "--json", tmp_path / "gone.png")
    assert nothing.returncode == 3
    assert json.loads(nothing.stdout)["films"] == 0


def test_records_stand_for_their_films(model: Path, tmp_path: Path) -> None:
    ward, records = draw(tmp_path / "ward", 70), tmp_path / "records.jsonl"
    (ward / "bad.png").write_text("no film")
    assert run(model, "--resume", records, ward).returncode == 1
    films = json.loads(run(model, "--drift", "--json", ward).stdout)
    lines = [json.loads(line) for line in records.read_text().splitlines()]
    for line in lines[::2]:  # as they were before there was a reason
        del line["reason"]
    records.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"path": "cut off')
    assert json.loads(run(model, "--drift", "--json", records).stdout) == films
    assert (films["films"], films["unreadable"]) == (70, 1)
    both = run(model, "--drift", "--json", ward, records)
    assert json.loads(both.stdout) == films
    assert both.stderr == ""  # the film that is none was not read again
    more = draw(tmp_path / "more", 10, seed=2)
    assert json.loads(run(model, "--drift", "--json", more, records).stdout)["films"] == 80


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("notes\n", "line 1: not a pneumo-infer record"),
        ('{"path": "a", "model": "m.onnx", "error": null}\n', "line 1: not a pneumo-infer record"),
        ('{"path": "a", "model": "other.onnx"}\n', "line 1: made with model other.onnx, not m.onnx"),
        (None, "cannot be read (No such file or directory)"),
    ],
)
def test_records_that_cannot_be_used(model: Path, tmp_path: Path, content: str | None, problem: str) -> None:
    records = tmp_path / "records.jsonl"
    if content is not None:
        records.write_text(content)
    done = run(model, "--drift", records)
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in done.stderr


def test_a_model_without_a_reference(tmp_path: Path) -> None:
    done = run(write_model(tmp_path / "old.onnx", METADATA), "--drift", "--demo")
    assert (done.returncode, done.stdout) == (2, "")
    assert "old.onnx: has no pneumo.reference" in done.stderr
    assert "export it again" in done.stderr


def test_the_program_in_the_documentation(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = PAGE.read_text().partition("```python\n")[2].partition("```")[0]
    assert "Classifier()" in program
    monkeypatch.chdir(draw(tmp_path / "ward", 60))
    exec(program.replace("Classifier()", f"Classifier({str(model)!r})"), {"paths": sorted(Path().glob("*.png"))})
    assert capsys.readouterr().out.startswith("like {'verdict': 'like', 'films': 60")


def test_the_report_is_written_whole(model: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    assert run(model, "--drift", "--json", "--output", report, draw(tmp_path / "ward", 55)).returncode == 0
    assert json.loads(report.read_text())["verdict"] == "like"
    assert run(model, "--drift", "--output", tmp_path / "none" / "report", tmp_path / "ward").returncode == 2


@pytest.mark.parametrize(
    "options",
    [["--threshold", "0.5"], ["--resume", "a.jsonl"], ["--heatmap", "a"], ["--info"], ["--format", "csv"]],
)
def test_what_does_not_go_with_it(options: list[str]) -> None:
    done = run(None, "--drift", *options, "--demo")
    assert done.returncode == 2
    assert "--drift" in done.stderr
