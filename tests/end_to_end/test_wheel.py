"""The wheel is built, installed in clean environments, and run there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from pneumo_infer import Classifier
from pneumo_infer.cli.command import SAMPLES

ROOT = Path(__file__).parents[2]
NEWEST_PYTHON = "3.13"
LOWEST = ["numpy==1.26.*", "pillow==10.3.*", "onnxruntime==1.18.*", "typer==0.26.*"]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def find_python(version: str) -> str:
    """A working interpreter of a version: this one, one on the path, or one that pyenv keeps."""
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return sys.executable
    kept = sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob(f"versions/{version}.*/bin/python"))
    for candidate in [shutil.which(f"python{version}"), *map(str, kept)]:
        if candidate and subprocess.run([candidate, "--version"], capture_output=True, check=False).returncode == 0:
            return candidate
    pytest.skip(f"python{version} is not on this machine")


def install(python: str, folder: Path, *requirements: str) -> Path:
    """Make an environment and install into it; returns its folder of programs."""
    subprocess.run([python, "-m", "venv", folder], check=True)
    done = subprocess.run(
        [folder / "bin" / "python", "-m", "pip", "install", "--quiet", *requirements],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "bin"


def run(programs: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [programs / "pneumo-infer", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=programs)


def installed(programs: Path) -> set[str]:
    listed = subprocess.run(
        [programs / "python", "-m", "pip", "list", "--format", "json"], capture_output=True, check=True
    )
    return {entry["name"].lower() for entry in json.loads(listed.stdout)}


def test_the_wheel_holds_the_programs_the_models_and_no_leftovers(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    models = {Path(name).name for name in names if name.startswith("pneumo_infer/models/")}
    assert models == {"pneumo-resnet50-int8.onnx", "pneumo-resnet50-fp16.onnx", "SHA256SUMS"}
    packages = {name.partition("/")[0] for name in names if ".dist-info" not in name}
    assert packages == {"pneumo_infer", "pneumo_train", "pneumo_export"}
    assert not [name for name in names if name.endswith((".toml", ".pyc")) and "recipes" not in name]


@pytest.mark.parametrize(
    ("version", "pinned"),
    [("3.11", LOWEST), (NEWEST_PYTHON, [])],
    ids=["lowest versions", "newest versions"],
)
def test_with_a_processor(wheel: Path, tmp_path: Path, version: str, pinned: list[str]) -> None:
    programs = install(find_python(version), tmp_path / "environment", f"{wheel}[cpu]", *pinned)
    assert not installed(programs) & {"tensorflow", "keras", "tf2onnx", "scikit-learn", "torch"}
    done = run(programs, "--json", "--demo")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    here = Classifier(device="cpu")
    for record in json.loads(done.stdout):
        expected = here.predict(SAMPLES / Path(record["path"]).name)
        assert record["label"] == expected.label
        assert record["probability"] == pytest.approx(expected.probability, abs=0.02)
    assert run(programs, "--info").returncode == 0


def test_with_the_build_for_gpus_where_there_is_none(wheel: Path, tmp_path: Path) -> None:
    if Path("/proc/driver/nvidia").exists():
        pytest.skip("there is a GPU here")
    # Without the gigabytes of libraries that the extra `gpu` installs as well; there is no driver to use them.
    programs = install(sys.executable, tmp_path / "environment", str(wheel), "onnxruntime-gpu")
    assert not installed(programs) & {"tensorflow", "keras", "onnxruntime"}
    falls_back = run(programs, "--json", "--demo")
    assert falls_back.returncode == 0, falls_back.stderr
    assert {record["device"] for record in json.loads(falls_back.stdout)} == {"cpu"}
    assert falls_back.stderr.count("\n") == 1
    assert "CUDA did not start (no NVIDIA driver found); running on the CPU" in falls_back.stderr
    insists = run(programs, "--device", "cuda", "--demo")
    assert insists.returncode == 2
    assert "did not start (no NVIDIA driver found); install the NVIDIA driver, or use" in insists.stderr
