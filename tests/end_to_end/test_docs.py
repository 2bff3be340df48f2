"""The samples in the pages of the documentation run as they stand there; commands that train are parsed only."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from wsgiref.util import setup_testing_defaults

import numpy as np
import pytest
import typer
from made_films import draw_brightness
from PIL import Image
from small_models import METADATA, write_model

import pneumo_infer
from pneumo_infer.drift.reference import measure_reference
from pneumo_infer.model.contract import METADATA_KEYS
from pneumo_train.recipe_files import read_recipe

ROOT = Path(__file__).parents[2]
PACKAGE = Path(pneumo_infer.__file__).parent
SAMPLES = PACKAGE / "samples"
PAGES = {
    page.name: page.read_text()
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted(ROOT.glob("docs/*.md")))
}
PROGRAMS = {
    "pneumo-infer": "pneumo_infer.cli.options",
    "pneumo-train": "pneumo_train.commands",
    "pneumo-export": "pneumo_export.commands",
    "pneumo-serve": "pneumo_infer.serve.cli",
}
FENCED = re.compile(r"^ *```(?P<language>\w*)\n(?P<text>.*?)^ *```$", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
# Commands that are not ours.
FOREIGN = (
    ".",
    "/opt/pneumo/bin/pip",
    "codespell",
    "curl",
    "install",
    "kaggle",
    "mv",
    "mypy",
    "pip",
    "podman",
    "pre-commit",
    "pyinstaller",
    "pytest",
    "python -m pytest",
    "python3",
    "ruff",
    "sha256sum",
    "systemctl",
)
FOREIGN_OPTIONS = {
    "--all-files",
    "--cap-drop",
    "--check",
    "--collect-data",
    "--cov",
    "--data-binary",
    "--depth",
    "--find-links",
    "--memory",
    "--no-index",
    "--now",
    "--read-only",
    "--unzip",
    "--wheel-dir",
}


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: the page and section that it is in, its language, its text, and the output shown below it."""

    page: str
    section: str
    language: str
    text: str
    output: str = ""


def read_blocks() -> Iterator[Block]:
    for page, text in PAGES.items():
        last = None
        for match in FENCED.finditer(text):
            section = HEADING.findall(FENCED.sub("", text[: match.start()]))[-1]
            content = textwrap.dedent(match["text"])
            if match["language"]:
                if last:
                    yield last
                last = Block(page, section, match["language"], content)
            else:
                assert last is not None, f"{page}: output without a command"
                last = replace(last, output=content)
        if last:
            yield last


BLOCKS = list(read_blocks())
PYTHON = {(block.page, block.section): block.text for block in BLOCKS if block.language == "python"}


def read_commands() -> Iterator[tuple[str, str, str]]:
    """Each shell command with its page and the output that is shown for it: that of the first one in its block."""
    for block in BLOCKS:
        if block.language == "sh":
            output = block.output
            for line in block.text.replace("\\\n", "").splitlines():
                for command in re.sub(r"\s+# .*", "", line).split(" && "):
                    ours = re.sub(r"^\.venv\S*/bin/", "", command.strip())
                    yield block.page, ours, output if ours.startswith("pneumo-infer") else ""
                    output = "" if ours.startswith("pneumo-infer") else output


COMMANDS = list(dict.fromkeys(read_commands()))
RUN = [command for command in COMMANDS if command[1].startswith("pneumo-infer")]
PARSED_PROGRAMS = (
    "pneumo-train",
    "pneumo-export",
    "pneumo-serve",
    "python -m pneumo",
    "python -m benchmarks",
    "python -m tools",
)
PARSED = [text for _, text, _ in COMMANDS if text.startswith(PARSED_PROGRAMS)]


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """A folder with the films that samples name."""
    for folder in ("films", "ward3", "archive/2026"):
        shutil.copytree(SAMPLES, tmp_path / folder)
    Image.open(SAMPLES / "normal.png").save(tmp_path / "film.jpeg", quality=95)
    shutil.copy(SAMPLES / "pneumonia.png", tmp_path / "film.png")
    return tmp_path


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the page about drift names: films unlike those of a small model, and records of films like them."""
    folder = tmp_path_factory.mktemp("watched")
    rng = np.random.default_rng(0)
    greys, own, others = (
        np.where(rng.random(count) < 0.6, rng.normal(131, 1, count), rng.normal(125, 1, count))
        for count in (400, 80, 60)
    )
    reference = measure_reference(1 / (1 + np.exp(128 - greys)), abs(greys - 128), greys > 128, 6.0)
    write_model(
        folder / "pneumo-resnet50-int8.onnx",
        {**METADATA, "domain_limit": "6.0", "reference": json.dumps(reference.to_dict())},
    )
    draw_brightness(folder / "ward3", others + 5)
    draw_brightness(folder / "incoming", own)
    done = run_shell("pneumo-infer --resume month.jsonl incoming", folder)
    assert done.returncode == 0, done.stderr
    shutil.copy(folder / "month.jsonl", folder / "records.jsonl")
    return folder


def run_python(program: str, films: Path) -> str:
    done = subprocess.run([sys.executable, "-c", program], cwd=films, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, with the model in it if there is one; `notify` is a program that fails."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    for name, text in (("pneumo-infer", f'exec "{sys.executable}" -m pneumo_infer "$@"'), ("notify", "exit 1")):
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "PNEUMO_DEVICE": "cpu"}
    for model in folder.glob("*.onnx"):
        environment["PNEUMO_MODEL"] = str(model)
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def without_figures(output: str) -> list[str]:
    """The lines of an output without its numbers, widths and places on this machine."""
    unplaced = output.replace(str(PACKAGE.parent), "…")
    return [" ".join(re.sub(r"\d[\d.]*", "0", line).split()) for line in unplaced.splitlines()]


LABELS_PRINTED = {
    ("README.md", "From Python"): ["NORMAL", "PNEUMONIA"],
    ("embedding.md", "One film"): ["NORMAL"],
    ("embedding.md", "A folder"): ["NORMAL", "PNEUMONIA"],
    ("embedding.md", "Several threads"): ["NORMAL", "PNEUMONIA"],
}
OWN_TEST = {("embedding.md", "A web service"), ("embedding.md", "Ray"), ("drift.md", "From Python")}


def test_every_program_is_run() -> None:
    assert set(PYTHON) == {*LABELS_PRINTED, *OWN_TEST}


@pytest.mark.parametrize("sample", LABELS_PRINTED, ids=" ".join)
def test_programs_that_print_labels(sample: tuple[str, str], films: Path) -> None:
    lines = run_python(PYTHON[sample], films).splitlines()
    assert [line.split()[1] for line in lines] == LABELS_PRINTED[sample]


def test_the_web_service(films: Path) -> None:
    names: dict[str, object] = {"__name__": "service"}
    exec(PYTHON["embedding.md", "A web service"], names)
    for body, expected in (((films / "film.png").read_bytes(), "200"), (b"not a film", "422")):
        environ: dict[str, object] = {"CONTENT_LENGTH": str(len(body))}
        setup_testing_defaults(environ)
        environ["wsgi.input"] = io.BytesIO(body)
        start_response = Mock()
        (answer,) = names["application"](environ, start_response)  # type: ignore[operator]
        assert start_response.call_args.args[0].startswith(expected)
        assert json.loads(answer)["error" if expected == "422" else "label"] is not None


def test_ray(films: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    run_python(PYTHON["embedding.md", "Ray"], films)
    assert {row["label"] for row in parquet.read_table(films / "answers").to_pylist()} == {"NORMAL", "PNEUMONIA"}


def test_drift_from_python(watched: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = PYTHON["drift.md", "From Python"]
    assert "Classifier()" in program
    (model,) = watched.glob("*.onnx")
    names = {"paths": sorted((watched / "incoming").glob("*.png"))}
    exec(program.replace("Classifier()", f"Classifier({str(model)!r})"), names)
    assert capsys.readouterr().out.startswith("like {'verdict': 'like', 'films': 80")


@pytest.mark.parametrize(("page", "command", "output"), RUN, ids=[f"{page}: {command}" for page, command, _ in RUN])
def test_commands_that_classify(page: str, command: str, output: str, request: pytest.FixtureRequest) -> None:
    done = run_shell(command, request.getfixturevalue("watched" if page == "drift.md" else "films"))
    verdicts = (0, 1) if "--drift" in command else (0,)
    assert done.returncode in verdicts, done.stderr
    if output:
        assert without_figures(done.stdout + done.stderr) == without_figures(output)


def as_command(program: str) -> Any:
    """The command that a program of ours, or the `main` of a module, gives to typer."""
    name, *below = program.split()
    if name in PROGRAMS:
        command = typer.main.get_command(import_module(PROGRAMS[name]).app)
        return command.commands[below[0]] if below else command  # type: ignore[attr-defined]
    app = typer.Typer(add_completion=False)
    app.command()(import_module(program).main)
    return typer.main.get_command(app)


@pytest.mark.parametrize("text", PARSED)
def test_other_commands_parse(text: str) -> None:
    program, *arguments = shlex.split(text.removeprefix("python -m "))
    command = as_command(program)
    if arguments and arguments[0] in getattr(command, "commands", {}):
        command = command.commands[arguments.pop(0)]
    command.make_context(program, arguments)


def test_every_command_is_run_or_parsed_or_not_ours() -> None:
    checked = {*PARSED, *(command for _, command, _ in RUN)}
    others = {text for _, text, _ in COMMANDS if text} - checked
    assert [text for text in others if not f"{text} ".startswith(tuple(f"{name} " for name in FOREIGN))] == []


def test_extras_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = ",".join(extras for text in PAGES.values() for extras in re.findall(r"\.\[([\w,]+)\]", text)).split(",")
    assert set(named) <= {*project["project"]["optional-dependencies"], *project.get("dependency-groups", {})}


def options_of(command: Any) -> set[str]:
    own = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    below = [options_of(sub) for sub in getattr(command, "commands", {}).values()]
    return {option for option in own.union(*below) if option.startswith("--")} - {"--help"}


@pytest.mark.parametrize(
    ("program", "pages"),
    [
        ("pneumo-infer", ["cli.md"]),
        ("pneumo-train", ["training.md", "style.md", "CONTRIBUTING.md"]),
        ("pneumo-export", ["export.md"]),
        ("pneumo-serve http", ["serving.md"]),
        ("pneumo-serve dicom", ["serving-dicom.md"]),
    ],
)
def test_every_option_is_documented(program: str, pages: list[str]) -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z-]+", " ".join(PAGES[page] for page in pages)))
    assert options_of(as_command(program)) <= named


def test_every_option_that_is_named_exists() -> None:
    known = FOREIGN_OPTIONS.union(
        *(
            options_of(as_command(program))
            for program in (*PROGRAMS, "pneumo_infer.ray", "tools.convert_efficientnet_lite")
        )
    )
    named = {option for text in PAGES.values() for option in re.findall(r"(?<![\w|-])--[a-z][a-z-]*", text)}
    assert named <= known


def test_keys_of_recipes_exist() -> None:
    settings = {setting for text in PAGES.values() for setting in re.findall(r"--set ([a-z][\w.]*=[\w.]+)", text)}
    assert len(settings) >= 3
    for setting in settings:
        read_recipe("finetune", [setting])


@pytest.mark.parametrize("page", PAGES)
def test_paths_and_links_exist(page: str) -> None:
    home = ROOT if (ROOT / page).is_file() else ROOT / "docs"
    links = re.findall(r"(?:\]\(|src=\")([^)#\"]+)", PAGES[page])
    missing = [link for link in links if "://" not in link and not (home / link).exists()]
    folders = "pneumo_infer|train|export|tests|benchmarks|models|tools|docs|deploy"
    paths = re.findall(rf"`((?:{folders}|\.ci)/[\w./-]*)`", PAGES[page])
    assert missing + [path for path in paths if not (ROOT / path).exists()] == []


def test_the_diagram_names_modules_that_exist() -> None:
    (diagram,) = (block.text for block in BLOCKS if block.language == "mermaid")
    modules = set(re.findall(r"[\w/]+\.py", diagram))
    packages = (PACKAGE, ROOT / "train" / "pneumo_train", ROOT / "export" / "pneumo_export")
    assert len(modules) > 5
    assert [module for module in modules if not any((package / module).is_file() for package in packages)] == []


def test_all_metadata_is_documented() -> None:
    assert [key for key in METADATA_KEYS if f"`pneumo.{key}`" not in PAGES["how-it-works.md"]] == []


def test_the_readme_is_short_and_ci_finds_its_commands() -> None:
    pattern = re.search(r"grep -E '([^']+)' README.md", (ROOT / ".ci" / "run").read_text())
    assert pattern is not None
    lines = PAGES["README.md"].splitlines()
    assert len(lines) <= 100
    assert len([line for line in lines if re.search(pattern[1], line)]) == 2


@pytest.mark.parametrize(
    ("page", "heading"),
    [
        ("CONTRIBUTING.md", "Add a backbone"),
        ("CONTRIBUTING.md", "Add a corruption"),
        ("CONTRIBUTING.md", "Add an option to pneumo-infer"),
        ("how-it-works.md", "Where things happen"),
    ],
)
def test_names_that_the_code_is_changed_by_exist(page: str, heading: str) -> None:
    section = PAGES[page].partition(f"## {heading}\n")[2].partition("\n## ")[0]
    files = [ROOT / path for path in re.findall(r"`([\w/]+\.py)`", section)]
    code = "\n".join(file.read_text() for file in files)
    names = [part for name in re.findall(r"`([A-Za-z_][\w.]*)`", section) for part in name.split(".")]
    assert names
    assert [name for name in names if not re.search(rf"\b{name}\b", code)] == []
