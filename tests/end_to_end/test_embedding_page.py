"""Every program on the page about embedding runs as it stands there."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock
from wsgiref.util import setup_testing_defaults

import pytest

from pneumo_infer.cli.command import SAMPLES

PAGE = Path(__file__).parents[2] / "docs" / "embedding.md"
SECTIONS = dict(re.findall(r"## ([^\n]+)\n(?:(?!\n## ).)*?```python\n(.*?)```", PAGE.read_text(), re.DOTALL))


@pytest.fixture
def films(tmp_path: Path) -> Path:
    shutil.copytree(SAMPLES, tmp_path / "films")
    return tmp_path


def run(section: str, films: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SECTIONS[section]], cwd=films, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_section_has_a_program() -> None:
    assert list(SECTIONS) == ["A folder", "Several threads", "A web service", "Ray"]


@pytest.mark.parametrize("section", ["A folder", "Several threads"])
def test_programs_that_print(section: str, films: Path) -> None:
    lines = run(section, films).splitlines()
    assert [line.split()[1] for line in lines] == ["NORMAL", "PNEUMONIA"]


def test_the_web_service(films: Path) -> None:
    names: dict[str, object] = {"__name__": "service"}
    exec(SECTIONS["A web service"], names)
    for body, expected in (((films / "films" / "normal.png").read_bytes(), "200"), (b"no film", "422")):
        environ: dict[str, object] = {"CONTENT_LENGTH": str(len(body))}
        setup_testing_defaults(environ)
        environ["wsgi.input"] = io.BytesIO(body)
        start_response = Mock()
        (answer,) = names["application"](environ, start_response)  # type: ignore[operator]
        assert start_response.call_args.args[0].startswith(expected)
        assert json.loads(answer)["error" if expected == "422" else "label"] is not None


def test_ray(films: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    run("Ray", films)
    assert {row["label"] for row in parquet.read_table(films / "answers").to_pylist()} == {"NORMAL", "PNEUMONIA"}
