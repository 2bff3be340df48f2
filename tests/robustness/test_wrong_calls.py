"""No wrong call of the three programs ends in a traceback."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from infer_command import close
from typer.testing import CliRunner
from wrong_calls import Call, all_calls, make_place

from pneumo_export.commands import app as pneumo_export
from pneumo_infer.cli.options import app as pneumo_infer
from pneumo_train.commands import app as pneumo_train

APPS = {"pneumo-infer": pneumo_infer, "pneumo-train": pneumo_train, "pneumo-export": pneumo_export}
EXIT_CODES = {0, 1, 2, 3}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The working directory of the calls."""
    place = tmp_path_factory.mktemp("place")
    make_place(place)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        yield place


def problem_of(call: Call) -> tuple[int, str | None]:
    """Make a call in this process: its exit code, and what is wrong with how it ended."""
    done = CliRunner().invoke(APPS[call.program], call.arguments)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        return done.exit_code, repr(done.exception)
    if done.exit_code not in EXIT_CODES:
        return done.exit_code, f"exit code {done.exit_code}"
    if "Traceback" in done.output:
        return done.exit_code, done.output
    return done.exit_code, "no message" if done.exit_code == 2 and not done.stderr else None


@pytest.mark.filterwarnings("ignore")  # as in the programs
def test_five_hundred_wrong_calls_without_a_traceback(place: Path) -> None:
    refused: Counter[str] = Counter()
    problems = {}
    for call in all_calls(place):
        code, problem = problem_of(call)
        refused[call.program] += code != 0
        if problem is not None:
            problems[call] = problem
    assert problems == {}
    assert refused.total() >= 500
    assert min(refused[program] for program in APPS) >= 50


SURROUNDINGS = [
    pytest.param(None, "/dev/full", id="standard output full"),
    pytest.param(close(0), os.devnull, id="standard input closed"),
    pytest.param(close(1), os.devnull, id="standard output closed"),
    pytest.param(close(2), os.devnull, id="standard error closed"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("how", "out"), SURROUNDINGS)
def test_wrong_calls_in_strange_surroundings(place: Path, how: Callable[[], None] | None, out: str) -> None:
    """A few of the calls as processes of their own."""
    choose, calls = random.Random(len(out)), all_calls(place)
    for program, number in {"pneumo-infer": 5, "pneumo-train": 1, "pneumo-export": 1}.items():
        for call in choose.sample([call for call in calls if call.program == program], number):
            command = [sys.executable, "-m", program.replace("-", "_"), *call.arguments]
            with Path(out).open("wb") as file:
                options = {"stdout": file, "stderr": subprocess.PIPE, "preexec_fn": how, "timeout": 300}
                done = subprocess.run(command, check=False, **options)
            assert done.returncode in EXIT_CODES, (call, done.stderr)
            assert b"Traceback" not in done.stderr, (call, done.stderr)
