"""One Classifier across processes, and its end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pneumo_infer import Classifier
from pneumo_infer.cli.command import SAMPLES

FORKED = """
import os, sys
from pneumo_infer import Classifier
film = sys.argv[1]
classifier = Classifier(device="cpu")
expected = classifier.predict(film).probability
for _ in range(3):
    child = os.fork()
    if child == 0:
        again = [classifier.predict(film), *classifier.predict_many([film] * 5, batch_size=2)]
        os._exit(0 if all(abs(answer.probability - expected) < 1e-3 for answer in again) else 3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert classifier.predict(film).probability == expected
"""
SPAWNED = """
import multiprocessing, sys
from pneumo_infer import Classifier
if __name__ == "__main__":
    classifier = Classifier(device="cpu", threads=1)
    expected = classifier.predict(sys.argv[1]).probability
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        answers = pool.map(classifier.predict, [sys.argv[1]] * 4, chunksize=1)
    assert all(abs(answer.probability - expected) < 1e-3 for answer in answers)
"""


@pytest.mark.parametrize("program", [FORKED, SPAWNED], ids=["forked", "spawned"])
def test_other_processes_answer_alike(program: str, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(program)
    command = [sys.executable, "-W", "ignore::DeprecationWarning", script, SAMPLES / "normal.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr


def test_a_closed_classifier_says_so() -> None:
    with Classifier(device="cpu") as classifier:
        assert classifier.predict(SAMPLES / "normal.png").label == "NORMAL"
    with pytest.raises(ValueError, match="has been closed"):
        classifier.predict(SAMPLES / "normal.png")
    classifier.close()
