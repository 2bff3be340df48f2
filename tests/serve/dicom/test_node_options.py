"""The options of pneumo-serve dicom."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from dicom_node import (
    COMMAND,
    running,
)

# pynetdicom leaves sockets of associations that failed to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "give either --send-to or --write-to"),
        (("--write-to", ".", "--send-to", "PACS@localhost:104"), "give either --send-to or --write-to"),
        (("--write-to", ".", "--host", "0.0.0.0"), "need --allow-aet"),
        (("--send-to", "localhost:104"), "is not AE@HOST:PORT"),
        (("--write-to", ".", "--aet", "SEVENTEEN LETTERS"), "is not an AE title"),
        (("--write-to", ".", "--allow-peer", "hospital"), "does not appear to be an IPv4 or IPv6 network"),
        (("--write-to", ".", "--tls-certificate", "c.pem"), "need each other"),
        (("--write-to", ".", "--tls-certificate", "c.pem", "--tls-key", "k.pem"), "--tls files: cannot be used"),
        (("--write-to", ".", "--threshold", "unheard-of"), "no operating point"),
    ],
)
def test_usage_errors(model: Path, tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    command = [*COMMAND, "--spool", tmp_path / "spool", "--model", model, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.replace("\u2502", " ").split())
    assert not (tmp_path / "spool").exists()


def test_a_spool_or_an_address_in_use_is_an_error(model: Path, tmp_path: Path) -> None:
    command = [*COMMAND, "--model", model, "--write-to", tmp_path, "--spool"]
    with running(tmp_path / "spool", model, "--write-to", tmp_path) as node:
        for arguments in ([tmp_path / "spool"], [tmp_path / "other", "--port", str(node.port)]):
            done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, timeout=240)
            assert done.returncode == 2
            assert "in use" in done.stderr or "uses this spool" in done.stderr
