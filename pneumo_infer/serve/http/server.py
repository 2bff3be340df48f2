"""Run the application with uvicorn."""

from __future__ import annotations

import os
import resource
import signal
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from pneumo_infer.serve.http.settings import VARIABLE, Settings

GRACE = 8  # seconds for answers after a signal to stop; containers are killed after 10
OPEN_FILES = 16_384


@dataclass(frozen=True, slots=True)
class Listener:
    """Where a service listens: uvicorn's own options."""

    host: str
    port: int
    workers: int
    ssl_certfile: str | None
    ssl_keyfile: str | None
    log_level: str


def run(settings: Settings, listener: Listener) -> None:
    """Serve until a signal to stop, and answer what was accepted until then."""
    import uvicorn

    from pneumo_infer.serve.http.app import create_app
    from pneumo_infer.serve.http.protocol import PunctualProtocol

    _allow_open_files()
    for number in (signal.SIGINT, signal.SIGTERM):  # which uvicorn raises again after a graceful stop
        signal.signal(number, lambda *_: None)
    options: dict[str, Any] = {
        "host": listener.host,
        "port": listener.port,
        "http": PunctualProtocol,
        "ws": "none",
        "lifespan": "on",
        "access_log": False,  # it would log addresses with whatever clients put there
        "server_header": False,
        "log_level": listener.log_level,
        "timeout_keep_alive": settings.client_seconds,
        "timeout_graceful_shutdown": GRACE,
        "ssl_certfile": listener.ssl_certfile,
        "ssl_keyfile": listener.ssl_keyfile,
    }
    with ExitStack() as stack:
        if listener.workers == 1:
            uvicorn.run(create_app(settings), **options)
        else:
            from pneumo_infer.serve.http.metrics import SHARED_FOLDER

            os.environ[SHARED_FOLDER] = stack.enter_context(tempfile.TemporaryDirectory(prefix="pneumo-metrics-"))
            os.environ[VARIABLE] = settings.to_json()
            target = "pneumo_infer.serve.http.app:create_app_in_worker"
            uvicorn.run(target, factory=True, workers=listener.workers, **options)


def _allow_open_files() -> None:
    """Raise the soft limit of open files, which is for old programs, towards the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
