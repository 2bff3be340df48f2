"""Start pneumo-serve as a program, and talk to it over a real connection."""

from __future__ import annotations

import io
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from made_films import flat_film
from PIL import Image

COMMAND = (sys.executable, "-m", "pneumo_infer.serve", "http")
ADDRESS = re.compile(r"running on (https?)://([\w.:]+):(\d+)")
STARTS_WITHIN = 120  # seconds


@dataclass
class Service:
    """A running service."""

    process: subprocess.Popen[str]
    log: list[str] = field(default_factory=list)
    address: str = ""
    port: int = 0

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def send(self, request: bytes) -> bytes:
        """Send bytes and return everything that comes back until the service closes the connection."""
        with self.connect() as connection:
            connection.sendall(request)
            return read_all(connection)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)

    def memory(self) -> int:
        """Resident bytes of the process, without those it shares with files."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(re.search(r"RssAnon:\s+(\d+)", status)[1])  # type: ignore[index]


@contextmanager
def serving(*arguments: str | Path, **environment: str) -> Iterator[Service]:
    """Run the service on a free port until the end of the block."""
    command = [*map(str, COMMAND), "--port", "0", "--device", "cpu", *map(str, arguments)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | environment)
    service = Service(process)
    reader = Thread(target=_follow, args=(service,))
    reader.start()
    try:
        deadline = time.monotonic() + STARTS_WITHIN
        while not service.port:
            assert process.poll() is None, service.log
            assert time.monotonic() < deadline, service.log
            time.sleep(0.02)
        yield service
    finally:
        process.kill()
        process.wait()
        reader.join()


def _follow(service: Service) -> None:
    assert service.process.stderr is not None
    with service.process.stderr as lines:
        for line in lines:
            service.log.append(line)
            if found := ADDRESS.search(line):
                service.address = f"{found[1]}://127.0.0.1:{found[3]}"
                service.port = int(found[3])


def post(body: bytes, *headers: bytes, path: bytes = b"/v1/predictions", length: int | None = None) -> bytes:
    """Write a request with a body; `length` is what it announces, if not the truth."""
    announced = len(body) if length is None else length
    lines = (b"POST %b HTTP/1.1" % path, b"Host: localhost", b"Content-Length: %d" % announced, *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def read_all(connection: socket.socket) -> bytes:
    """Read until the other side closes."""
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


def png(grey: int) -> bytes:
    """A film of one grey, as PNG."""
    out = io.BytesIO()
    Image.fromarray(flat_film(grey)).save(out, format="PNG")
    return out.getvalue()
