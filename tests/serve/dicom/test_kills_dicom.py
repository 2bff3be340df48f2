"""The DICOM node, killed at random moments while films come in and answers go out."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import pytest
from dicom_node import COMMAND, RunningNode, pacs, send, study_film, uid_of
from waiting import until

FILMS, KILLS = 100, 10
SUCCESS = 0x0000
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.slow
def test_every_acknowledged_film_is_answered_exactly_once(model: Path, tmp_path: Path) -> None:
    """Invariant: the PACS never gets two objects for one answer, and in the end it has both answers to each film."""
    films = [study_film(138 + number % 5) for number in range(FILMS)]
    spool, log = tmp_path / "spool", tmp_path / "spool.log"
    moments = random.Random(0)
    with pacs() as archive:
        command = [*COMMAND, "--spool", spool, "--model", model, "--send-to", f"PACS@127.0.0.1:{archive.port}"]
        node = RunningNode(command, log)
        acknowledged = threading.Event()

        def send_all() -> None:
            """Send as a modality does: what is not acknowledged is sent again, until it is."""
            for film in films:
                while send(node.port, film) != [SUCCESS]:
                    time.sleep(0.05)
            acknowledged.set()

        modality = threading.Thread(target=send_all)
        modality.start()
        for _ in range(KILLS):
            time.sleep(moments.uniform(0, 4))
            node.process.kill()
            node.process.wait()
            node = RunningNode(command, log)
        modality.join()
        assert acknowledged.is_set()
        until(lambda: len(list((spool / "delivered").iterdir())) == FILMS)
        node.process.terminate()
        assert node.process.wait(120) == 0
        assert not list(spool.glob("received/*")) + list(spool.glob("answered/*")) + list(spool.glob("refused/*"))
        for film in films:
            assert len(archive.answers_to(film)) == 2, uid_of(film)
        assert len(archive.objects) == 2 * FILMS  # `Pacs` has compared what was sent again with what it had
