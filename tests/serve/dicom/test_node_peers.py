"""Whom the DICOM node serves, and how much of it."""

from __future__ import annotations

import io
import shutil
import socket
import ssl
import struct
import subprocess
from pathlib import Path

import pytest
from dicom_node import pacs, running, send, study_film
from pydicom import dcmread
from pynetdicom import AE
from pynetdicom.sop_class import Verification
from waiting import until

# pynetdicom leaves sockets of associations that failed to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
SUCCESS, REJECTED = 0x0000, []


def test_an_object_or_pdu_that_is_too_large_ends_its_connection(model: Path, tmp_path: Path) -> None:
    with running(tmp_path / "spool", model, "--write-to", tmp_path, "--max-megabytes", "1") as node:
        large = study_film(Rows=1024, Columns=1024, PixelData=bytes(2 * 1024 * 1024))
        pixels = dcmread(io.BytesIO(large))
        pixels.PixelData = bytes(2 * 1024 * 1024)
        file = io.BytesIO()
        pixels.save_as(file)
        assert send(node.port, file.getvalue()) == [-1]
        with socket.create_connection(("127.0.0.1", node.port)) as connection:
            connection.sendall(struct.pack(">BBL", 1, 0, 2**32 - 1))
            connection.settimeout(60)
            assert connection.recv(1) == b""
        assert send(node.port, study_film()) == [SUCCESS]
        assert node.log().count("too many bytes") == 2
        assert not list(tmp_path.glob("spool/arriving/*"))


def test_only_peers_on_the_lists_are_served(model: Path, tmp_path: Path) -> None:
    options = ("--write-to", tmp_path, "--allow-aet", "MODALITY", "--allow-aet", "CT 1")
    with running(tmp_path / "spool", model, *options) as node:
        assert send(node.port, study_film()) == [SUCCESS]
        assert send(node.port, study_film(), own_title="CT 1") == [SUCCESS]
        assert send(node.port, study_film(), own_title="STRANGER") == REJECTED
        assert send(node.port, study_film(), title="OTHER") == REJECTED
    with running(tmp_path / "spool", model, "--write-to", tmp_path, "--allow-peer", "10.0.0.0/8") as node:
        assert send(node.port, study_film()) == REJECTED
        until(lambda: "refused a connection from 127.0.0.1" in node.log())
    with running(tmp_path / "spool", model, "--write-to", tmp_path, "--allow-peer", "127.0.0.0/8") as node:
        assert send(node.port, study_film()) == [SUCCESS]


def test_associations_are_limited(model: Path, tmp_path: Path) -> None:
    with running(tmp_path / "spool", model, "--write-to", tmp_path, "--max-associations", "2") as node:
        entity = AE("MODALITY")
        entity.add_requested_context(Verification)
        held = [entity.associate("127.0.0.1", node.port, ae_title="PNEUMO") for _ in range(2)]
        assert all(association.is_established for association in held)
        assert send(node.port, study_film()) == REJECTED
        held.pop().release()
        until(lambda: send(node.port, study_film()) == [SUCCESS])
        held.pop().release()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate authority, and a certificate of it for localhost."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("tls")
    for command in (
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority",
        "req -newkey rsa:2048 -nodes -keyout node.key -out node.csr -subj /CN=localhost",
        "x509 -req -in node.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out node.pem -days 2 -extfile names",
    ):
        (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    return folder


def test_connections_over_tls(model: Path, tmp_path: Path, certificates: Path) -> None:
    ca, certificate, key = (certificates / name for name in ("ca.pem", "node.pem", "node.key"))
    ours = ssl.create_default_context(cafile=ca)
    unknown = ssl.create_default_context(cafile=ca)
    ours.load_cert_chain(certificate, key)
    archive_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca)
    archive_tls.load_cert_chain(certificate, key)
    archive_tls.verify_mode = ssl.CERT_REQUIRED
    film = study_film()
    with pacs(ssl_context=archive_tls) as archive:
        options = ("--tls-certificate", certificate, "--tls-key", key, "--tls-ca", ca, "--send-tls")
        with running(tmp_path / "spool", model, "--send-to", f"PACS@localhost:{archive.port}", *options) as node:
            with socket.create_connection(("127.0.0.1", node.port)):  # sends nothing, and must not hold up the others
                assert send(node.port, film, tls_args=(ours, "localhost")) == [SUCCESS]
            archive.wait_for(film)
            assert send(node.port, film) == REJECTED
            assert send(node.port, film, tls_args=(unknown, "localhost")) == REJECTED
