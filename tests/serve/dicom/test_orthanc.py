"""The DICOM node next to Orthanc, which forwards everything that it stores, and is asked through its REST interface."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from dicom_node import COMMAND, RunningNode, study_film
from pydicom import dcmread
from waiting import until

pytestmark = [
    pytest.mark.skipif(not shutil.which("Orthanc"), reason="needs Orthanc"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
FILMS = 3
FORWARD_EVERYTHING = "function OnStoredInstance(id, tags, metadata, origin) SendToModality(id, 'pneumo') end"


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


class Orthanc:
    """A running Orthanc."""

    def __init__(self, folder: Path, node_port: int) -> None:
        self.http_port, self.dicom_port = free_port(), free_port()
        (folder / "forward.lua").write_text(FORWARD_EVERYTHING)
        configuration = {
            "StorageDirectory": str(folder / "storage"),
            "HttpPort": self.http_port,
            "DicomPort": self.dicom_port,
            "DicomAet": "ORTHANC",
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomModalities": {"pneumo": ["PNEUMO", "127.0.0.1", node_port]},
            "DicomAlwaysAllowStore": True,
            "LuaScripts": [str(folder / "forward.lua")],
            "Plugins": [],
        }
        (folder / "orthanc.json").write_text(json.dumps(configuration))
        with (folder / "orthanc.log").open("wb") as log:
            self.process = subprocess.Popen(["Orthanc", folder / "orthanc.json"], stdout=log, stderr=log)

    def ask(self, path: str, content: bytes | None = None) -> Any:
        """Ask the REST interface; with content, post it."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/{path}", content, timeout=60) as response:
            body = response.read()
        return json.loads(body) if response.headers["Content-Type"].startswith("application/json") else body

    def is_up(self) -> bool:
        with suppress(OSError):
            return bool(self.ask("system"))
        return False

    def jobs_that_failed(self) -> list[str]:
        return [job for job in self.ask("jobs") if self.ask(f"jobs/{job}")["State"] == "Failure"]


@pytest.fixture
def orthanc_and_node(model: Path, tmp_path: Path) -> Iterator[tuple[Orthanc, RunningNode]]:
    port = free_port()
    orthanc = Orthanc(tmp_path, port)
    try:
        until(orthanc.is_up)
        options = ["--spool", tmp_path / "spool", "--model", model, "--port", str(port)]
        sending = ["--send-to", f"ORTHANC@127.0.0.1:{orthanc.dicom_port}", "--allow-aet", "ORTHANC"]
        node = RunningNode([*COMMAND, *options, *sending], tmp_path / "node.log")
        try:
            yield orthanc, node
            node.process.terminate()
            assert node.process.wait(120) == 0
        finally:
            node.process.kill()
            node.process.wait()
    finally:
        orthanc.process.terminate()
        orthanc.process.wait(60)


def test_films_in_orthanc_get_their_answers_and_no_more(
    orthanc_and_node: tuple[Orthanc, RunningNode], tmp_path: Path
) -> None:
    orthanc, node = orthanc_and_node
    for _ in range(FILMS):
        assert orthanc.ask("instances", study_film())["Status"] == "Success"
    until(lambda: orthanc.ask("statistics")["CountInstances"] == 3 * FILMS)
    # Orthanc forwards the answers as well: once all have been dropped, nothing is on its way any more.
    until(lambda: node.log().count("dropped, it was made by this program") == 2 * FILMS)
    assert not list((tmp_path / "spool").glob("received/*")) + list((tmp_path / "spool").glob("answered/*"))
    assert orthanc.ask("statistics")["CountInstances"] == 3 * FILMS
    assert not orthanc.jobs_that_failed()
    studies = orthanc.ask("studies?expand")
    assert len(studies) == FILMS
    for study in studies:
        series = {each["MainDicomTags"]["Modality"]: each for each in orthanc.ask(f"studies/{study['ID']}/series")}
        assert sorted(series) == ["DX", "OT", "SR"]
        preview = orthanc.ask(f"instances/{series['OT']['Instances'][0]}/preview")
        assert preview.startswith(b"\x89PNG")
        stored = tmp_path / "report.dcm"
        stored.write_bytes(orthanc.ask(f"instances/{series['SR']['Instances'][0]}/file"))
        assert dcmread(stored).ContentSequence
        if shutil.which("dsrdump"):
            assert b"Probability" in subprocess.run(["dsrdump", stored], check=True, capture_output=True).stdout
