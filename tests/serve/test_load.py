"""Many requests at once, a tenth of them hostile: no error of the service, no growth, and a stop in the middle."""

from __future__ import annotations

import os
import random
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from serving import Service, png, post, read_all, serving
from waiting import until

REQUESTS = int(os.environ.get("PNEUMO_LOAD_REQUESTS", "600"))
CLIENTS = 16
FILMS = [png(grey) for grey in range(20, 220, 10)]
METRICS = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
pytestmark = pytest.mark.slow


def hostile(service: Service, choose: random.Random) -> bytes:
    """Send one request that no honest client would, and return the answer, if any."""
    film = choose.choice(FILMS)
    close = b"Connection: close"
    kind = choose.randrange(7)
    if kind == 0:  # a damaged film
        damaged = bytearray(film)
        for _ in range(20):
            damaged[choose.randrange(len(damaged))] = choose.randrange(256)
        return service.send(post(bytes(damaged), close))
    if kind == 1:  # announces less than it sends
        return service.send(post(film, close, length=len(film) // 2))
    if kind == 2:  # announces far more
        return service.send(post(film, close, length=10**12))
    if kind == 3:  # leaves half way
        with service.connect() as connection:
            connection.sendall(post(film, length=2 * len(film)))
        return b""
    if kind == 4:  # sends a part, and no more
        return service.send(post(film, close, length=2 * len(film)))
    if kind == 5:  # resets the connection instead of reading
        with service.connect() as connection:
            connection.sendall(post(film))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        return b""
    return service.send(choose.randbytes(500) + b"\r\n\r\n")


def request(service: Service, number: int) -> int:
    """Send the request of this number, and return its status; 0 if there is no answer."""
    choose = random.Random(number)
    if number % 10 == 0:
        answer = hostile(service, choose)
    else:
        answer = service.send(post(choose.choice(FILMS), b"Connection: close"))
    return int(answer.split(maxsplit=2)[1]) if answer else 0


def test_hostile_requests_among_many(model: Path) -> None:
    with serving("--model", model, "--client-seconds", "1") as service, ThreadPoolExecutor(CLIENTS) as pool:
        first = REQUESTS // 4
        statuses = list(pool.map(lambda number: request(service, number), range(first)))
        before = service.memory()
        statuses += pool.map(lambda number: request(service, number), range(first, REQUESTS))
        after, metrics = service.memory(), service.send(METRICS).decode()
        counts = {status: statuses.count(status) for status in sorted(set(statuses))}
        print(f"statuses {counts}, memory {before / 1e6:.1f} MB, then {after / 1e6:.1f} MB")
        assert counts.keys() <= {0, 200, 400, 408, 413}
        assert all(statuses[number] == 200 for number in range(REQUESTS) if number % 10)
        assert 'status="5' not in metrics
        assert 'status="0"' not in metrics
        assert "pneumo_queue_requests 0.0" in metrics
        assert "pneumo_queue_bytes 0.0" in metrics
        assert after < 1.1 * before + 2e6
        assert service.stop() == 0
        assert not any("Traceback" in line for line in service.log), service.log


def test_many_uploads_at_once_do_not_grow_the_memory(model: Path) -> None:
    film = bytes(4_000_000)
    with serving("--model", model, "--queue-size", "20", "--max-request", "10") as service:
        service.send(post(FILMS[0], b"Connection: close"))
        before = service.memory()
        with ThreadPoolExecutor(100) as pool:
            answers = list(pool.map(lambda _: service.send(post(film, b"Connection: close")), range(100)))
        assert service.memory() < before + 60_000_000
        statuses = [int(answer.split(maxsplit=2)[1]) for answer in answers]
        assert set(statuses) == {200, 503}
        assert all(b"retry-after" in answer for answer in answers if b" 503 " in answer[:20])
        assert service.stop() == 0


def test_a_stop_in_the_middle_of_bodies_waits_for_them(model: Path) -> None:
    with serving("--model", model, "--client-seconds", "60") as service, ExitStack() as stack:
        service.send(post(FILMS[0], b"Connection: close"))  # starts a process that reads films
        connections = [stack.enter_context(service.connect()) for _ in range(CLIENTS)]
        for connection in connections:
            connection.sendall(post(FILMS[0], length=len(FILMS[0]) + 1))
        until(lambda: f"pneumo_queue_requests {CLIENTS}.0".encode() in service.send(METRICS))
        service.process.terminate()
        until(lambda: any("Shutting down" in line for line in service.log))
        for connection in connections:
            connection.sendall(b"x")
        answers = [read_all(connection) for connection in connections]
        assert service.process.wait(60) == 0
    assert all(answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"}") for answer in answers)
