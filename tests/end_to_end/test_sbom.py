"""The bill of materials of the light installation, and the SOUP list that is made from it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools.sbom import soup_list

ROOT = Path(__file__).parents[2]
NEEDED = {"numpy", "onnxruntime", "pillow", "rich", "typer"}
TRAINING = {"keras", "pip", "setuptools", "tensorflow"}
BILL = {
    "metadata": {"component": {"bom-ref": "root-component", "name": "pneumo-infer"}},
    "components": [
        {
            "bom-ref": "typer==0.26.0",
            "name": "typer",
            "version": "0.26.0",
            "description": "Builds CLIs | with type hints",
            "purl": "pkg:pypi/typer@0.26.0",
            "licenses": [{"license": {"id": "MIT", "acknowledgement": "declared"}}],
            "externalReferences": [{"type": "vcs", "url": "https://github.com/fastapi/typer"}],
        },
        {
            "bom-ref": "shellingham==1.5.4",
            "name": "shellingham",
            "version": "1.5.4",
            "purl": "pkg:pypi/shellingham@1.5.4",
            "licenses": [{"expression": "ISC", "acknowledgement": "declared"}],
            "externalReferences": [{"type": "issue-tracker", "url": "https://example.org/issues"}],
        },
    ],
    "dependencies": [
        {"ref": "root-component", "dependsOn": ["typer==0.26.0"]},
        {"ref": "typer==0.26.0", "dependsOn": ["shellingham==1.5.4"]},
    ],
}


def test_the_soup_list_has_a_row_for_each_component() -> None:
    python, typer, shellingham = [line.split(" | ") for line in soup_list(BILL).splitlines()[6:]]
    assert python[0] == "| Python"
    assert [cell.strip("| ") for cell in typer] == [
        "typer",
        "maintainers of https://github.com/fastapi/typer",
        "0.26.0",
        "Builds CLIs / with type hints",
        "pneumo-infer",
        "MIT",
        "https://github.com/fastapi/typer/issues",
    ]
    assert shellingham[4:] == ["typer", "ISC", "https://example.org/issues |"]


@pytest.mark.network
def test_the_light_installation(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "tools.sbom", "--to", tmp_path], check=True, cwd=ROOT)
    bill = json.loads((tmp_path / "sbom.json").read_text())
    names = {component["name"].lower() for component in bill["components"]}
    assert bill["bomFormat"] == "CycloneDX"
    assert names >= NEEDED
    assert not names & TRAINING
    assert all(f"| {component['name']} |" in (tmp_path / "soup.md").read_text() for component in bill["components"])
