"""The service as a program: slow and rude clients, signals, several processes, and what is in its log."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from serving import COMMAND, Service, png, post, read_all, serving

pytest.importorskip("uvicorn")
CLIENT_SECONDS = 2


@pytest.fixture(scope="module")
def service(model: Path) -> Iterator[Service]:
    arguments = ("--model", model, "--client-seconds", str(CLIENT_SECONDS), "--max-request", "2", "--max-films", "300")
    with serving(*arguments) as running:
        yield running


def status_of(answer: bytes) -> int:
    return int(answer.split(maxsplit=2)[1])


def test_a_client_that_sends_no_head_is_cut_off(service: Service) -> None:
    for start in (b"", b"POST /v1/predictions HT"):
        began = time.monotonic()
        assert service.send(start) == b""
        assert CLIENT_SECONDS - 0.5 < time.monotonic() - began < CLIENT_SECONDS + 5


def test_a_second_head_must_be_complete_as_well(service: Service) -> None:
    with service.connect() as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /health")
        began = time.monotonic()
        read_all(connection)
        assert time.monotonic() - began < CLIENT_SECONDS + 5


def test_a_client_that_trickles_its_film_is_cut_off(service: Service) -> None:
    began = time.monotonic()
    with service.connect() as connection:
        connection.sendall(post(b"", length=1000))
        connection.settimeout(0.2)
        answer = b""
        while b"\r\n\r\n" not in answer and time.monotonic() - began < 30:
            try:
                connection.sendall(b"x")
                answer += connection.recv(65536)
            except TimeoutError:
                continue
    assert status_of(answer) == 408
    assert CLIENT_SECONDS - 0.5 < time.monotonic() - began < CLIENT_SECONDS + 5


def test_a_client_that_takes_no_answer_is_cut_off(service: Service) -> None:
    head = b"GET /samples/pneumonia.png HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with service.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            ask_for_a_minute(connection, head)


def ask_for_a_minute(connection: socket.socket, request: bytes) -> None:
    began = time.monotonic()
    while time.monotonic() - began < 60:
        try:
            connection.send(request * 100)
        except BlockingIOError:
            time.sleep(0.05)


def test_who_sends_everything_first_still_reads_why_it_was_refused(service: Service) -> None:
    too_large = post(bytes(10_000_000), b"Connection: close")
    answer = service.send(too_large)
    assert status_of(answer) == 413
    assert b"more than 2000000 bytes" in answer


def test_chunks_are_counted(service: Service) -> None:
    head = (
        b"POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    answer = service.send(head + (b"%x\r\n" % 500_000 + bytes(500_000) + b"\r\n") * 5 + b"0\r\n\r\n")
    assert status_of(answer) == 413


def test_a_client_that_expects_100_continue_is_refused_at_once(service: Service) -> None:
    answer = service.send(post(b"", b"Expect: 100-continue", b"Connection: close", length=10_000_000))
    assert status_of(answer) == 413


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999999999999999\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"GET /" + b"%ff%00" * 100 + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ],
)
def test_invalid_requests_are_not_errors_of_the_service(service: Service, request_: bytes) -> None:
    answer = service.send(request_)
    assert not answer or 400 <= status_of(answer) < 500


def test_a_client_that_leaves_half_way_costs_nothing(service: Service) -> None:
    for _ in range(20):
        with service.connect() as connection:
            connection.sendall(post(bytes(1000), length=1_900_000))
    assert status_of(service.send(post(png(1), b"Connection: close"))) == 200
    metrics = service.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").decode()
    assert "pneumo_queue_bytes 0.0" in metrics
    assert 'status="500"' not in metrics


def test_no_name_and_no_address_is_in_the_log(service: Service) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="film"; filename="JohnDoe.png"\r\n\r\n%b\r\n--x--\r\n' % png(1)
    kind = b"Content-Type: multipart/form-data; boundary=x"
    answer = service.send(post(body, kind, b"Connection: close", path=b"/v1/predictions?name=JohnDoe"))
    assert b"JohnDoe.png" in answer
    service.send(post(b"", b"Connection: close", path=b"/JohnDoe.png"))
    assert any("POST /v1/predictions 200" in line for line in service.log)
    assert not any("JohnDoe" in line or "127.0.0.1:" in line.partition("running on")[0] for line in service.log)


def test_what_was_accepted_is_answered_before_the_service_stops(model: Path) -> None:
    parts = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="film"; filename="a.png"\r\n\r\n%b\r\n' % png(grey)
        for grey in range(20)
    )
    request = post(parts + b"--x--\r\n", b"Content-Type: multipart/form-data; boundary=x")
    with serving("--model", model) as service, ThreadPoolExecutor(8) as pool:
        assert status_of(service.send(post(png(1), b"Connection: close"))) == 200
        answers = [pool.submit(service.send, request) for _ in range(8)]
        deadline = time.monotonic() + 30
        while b"pneumo_queue_requests 8.0" not in service.send(
            b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        ):
            assert time.monotonic() < deadline
        assert service.stop() == 0
        for answer in answers:
            head, _, body = answer.result().partition(b"\r\n\r\n")
            assert status_of(head) == 200
            assert len(json.loads(body)) == 20
    assert not any("Traceback" in line for line in service.log)


def test_several_processes_share_an_address_and_their_metrics(model: Path) -> None:
    with serving("--model", model, "--workers", "2", "--no-isolate") as service:
        deadline = time.monotonic() + 120
        while sum("Application startup complete" in line for line in service.log) < 2:
            assert time.monotonic() < deadline, service.log
            time.sleep(0.1)
        for _ in range(10):
            assert status_of(service.send(post(png(1), b"Connection: close"))) == 200
        metrics = service.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").decode()
        assert 'pneumo_films_total{outcome="NORMAL",reason=""} 10.0' in metrics
        assert service.stop() == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--host", "0.0.0.0"], "lets other machines send films without a token"),
        (["--host", "0.0.0.0", "--token", "short"], "fewer than 16 characters"),
        (["--token-file", "/nonexistent"], "No such file"),
        (["--ssl-certfile", "/nonexistent"], "needs both a certificate and a key"),
    ],
)
def test_unsafe_or_impossible_options_are_refused(arguments: list[str], message: str) -> None:
    done = subprocess.run(
        [*COMMAND, "--port", "0", *arguments], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate")
def test_tls_and_a_token_from_a_file(model: Path, tmp_path: Path) -> None:
    key, certificate, token = tmp_path / "key.pem", tmp_path / "cert.pem", tmp_path / "token"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    token.write_text("a-token-of-some-length\n")
    options = ("--ssl-certfile", certificate, "--ssl-keyfile", key, "--token-file", token, "--host", "0.0.0.0")
    with serving("--model", model, *options) as service:
        trusting = ssl.create_default_context(cafile=str(certificate))
        with service.connect() as plain, trusting.wrap_socket(plain, server_hostname="localhost") as connection:
            headers = (b"Authorization: Bearer a-token-of-some-length", b"Connection: close")
            connection.sendall(post(png(1), *headers))
            assert status_of(read_all(connection)) == 200
