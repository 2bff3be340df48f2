"""Files that were edited, cut or mixed up: each error names the file, the place and the remedy."""

from __future__ import annotations

import re
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from pneumo_infer.errors import PneumoError
from pneumo_train import side_files
from pneumo_train.data.index import read_patients
from pneumo_train.data.manifest import read_manifest
from pneumo_train.errors import DataError, RecipeError, RunError
from pneumo_train.recipe_files import read_recipe
from pneumo_train.side_files import SideFile
from pneumo_train.training.history import EpochRow, read_history

HEADER = "path,label,patient,kind,split\n"
ROW = "train/\u00e4.png,NORMAL,p,,train\n"
EPOCH = '{"epoch": 1, "phase": "head", "loss": 1, "auc": 1, "val_loss": NaN, "val_auc": 1, "seconds": 1}'


def split(path: Path) -> object:
    return read_manifest(path, path.parent)


def recipe(path: Path) -> object:
    return read_recipe(str(path))


def epochs(path: Path) -> object:
    return SideFile(path, "restore it").json(list[EpochRow])


CASES: list[tuple[Callable[[Path], object], bytes, str]] = [
    (split, b"\r\n", "side.file: is empty"),
    (split, (HEADER + ROW).encode("latin-1"), "line 2: is not UTF-8; save it as UTF-8"),
    (split, (HEADER + ROW).encode("utf-16"), "line 1: is not UTF-8"),
    (
        split,
        (HEADER + ROW + "x" * 200_000 + ",NORMAL,p,,train\n").encode(),
        "line 3: is not a valid CSV file",
    ),
    (split, (HEADER + "a.png,NORMAL\n").encode(), "line 2: has 2 fields, but the first line names 5"),
    (split, (HEADER + "a.png,NORMAL,p,,train,x\n").encode(), "line 2: has 6 fields, but the first line names 5"),
    (split, (HEADER + 'a.png,NORMAL,"p,,train\n').encode(), "line 2: is not a valid CSV file"),
    (split, (HEADER + "a.png,NORMAL,,,train\n").encode(), "line 2: patient: String should have at least 1 character"),
    (
        split,
        (HEADER + "a.png,NORMAL,p,,dev\n").encode(),
        "line 2: split: Input should be 'train', ",
    ),
    (split, (HEADER + f"a.png,{'N' * 100_000},p,,train\n").encode(), "line 2: label: "),
    (read_patients, b"path,patient\na.png,7\nb.png\n", "line 3: has 1 fields, but the first line names 2"),
    (read_patients, b"path;patient\na.png;7\n", "line 1: has no column path"),
    (read_patients, b"path,patient\na.png,7\na.png,8\n", "line 3: 'a.png' already has the patient '7'"),
    (read_patients, b"\xff\xfe\x00", "line 1: is not UTF-8"),
    (recipe, b"seed = " + b"1" * 5_000, "not a valid TOML file"),
    (recipe, b"a = " + b"[" * 20_000, "not a valid TOML file"),
    (recipe, b"a." * 1_000 + b"a = 1", "summary: Field required"),
    (recipe, "summary = 'ä'".encode("latin-1"), "line 1: is not UTF-8"),
    (recipe, b"\x00", "not a valid TOML file (Invalid statement"),
    (epochs, b"[" * 20_000, "Invalid JSON: recursion limit exceeded at line 1"),
    (epochs, b'[{"epoch": ' + b"1" * 5_000 + b"}]", "Invalid JSON"),
    (epochs, f"[{EPOCH}, {{}}]".encode(), "1.epoch: Field required; 1.phase: Field required"),
    (epochs, f"[{EPOCH}]".encode().replace(b'"loss": 1', b'"loss": "x"'), "0.loss: Input should be a valid number"),
    (epochs, f"[{EPOCH}]".encode().replace(b', "auc": 1', b""), "0: has no auc"),
    (epochs, b"[" + b", ".join([b"1"] * 1_000) + b"]", "and 995 more problems"),
    (epochs, b'{"a": 1}', "Input should be a valid array"),
    (epochs, b"\xef\xbb\xbf[]x", "Invalid JSON: trailing characters"),
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_a_malformed_file(tmp_path: Path, case: int) -> None:
    read, content, problem = CASES[case]
    file = tmp_path / "side.file"
    file.write_bytes(content)
    with pytest.raises(PneumoError, match=re.escape(problem)) as caught:
        read(file)
    message = str(caught.value)
    assert message.startswith(str(file))
    assert "; " in message
    assert "\n" not in message
    assert len(message) < 1_500


def test_good_files_are_read(tmp_path: Path) -> None:
    file = tmp_path / "split.csv"
    file.write_bytes(b"\xef\xbb\xbf" + (HEADER + ROW).replace("\n", "\r\n").encode() + b"\r\n")
    assert [film.path for film in read_manifest(file, tmp_path)] == ["train/\u00e4.png"]
    file.write_text(f"[{EPOCH}]")
    (row,) = SideFile(file, "").json(list[EpochRow])
    assert list(row.model_dump()) == ["epoch", "phase", "loss", "auc", "val_loss", "val_auc", "seconds"]


def test_a_line_is_counted_where_it_begins(tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text(
        f'{HEADER}"a\nb\rc.png",NORMAL,p,,train\n\n\nd.png,MAYBE,q,,train\n', newline=""
    )
    with pytest.raises(DataError, match=r"line 7: label"):
        split(tmp_path / "split.csv")


@pytest.mark.parametrize("name", ["missing", "folder", "n" * 300, "null\0"])
def test_a_file_that_cannot_be_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=r"cannot be read \(.*\); give a CSV file"):
        read_patients(tmp_path / name)
    with pytest.raises(RecipeError):
        read_recipe(str(tmp_path / name))


def test_a_file_without_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_files, "MAX_BYTES", 2**20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RunError, match="/dev/zero: is larger than 1 MB"):
        SideFile(Path("/dev/zero"), "name a file").text()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kilobytes


def test_a_damaged_history(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text("epoch,phase,loss\n1,head,x\n")
    with pytest.raises(RunError, match=r"history\.csv, line 2: loss: Input should be a valid number.*, not 'x'"):
        read_history(tmp_path / "model.keras")
