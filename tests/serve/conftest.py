"""A service in this process, with a small model that answers films by their brightness."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from infer_command import small_model

pytest.importorskip("fastapi")

from fastapi.testclient import TestClient

from pneumo_infer.serve.http.app import create_app
from pneumo_infer.serve.http.settings import Settings


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model(tmp_path_factory.mktemp("model") / "small.onnx")


@pytest.fixture
def start(model: Path) -> Iterator[Callable[..., TestClient]]:
    """Start a service with these settings."""
    with ExitStack() as stack:

        def start_one(**settings: Any) -> TestClient:
            chosen = {"model": str(model), "device": "cpu", "threads": 2, "isolate": False} | settings
            client = TestClient(
                create_app(Settings(**chosen)), base_url="http://localhost", raise_server_exceptions=False
            )
            return stack.enter_context(client)

        yield start_one


@pytest.fixture
def client(start: Callable[..., TestClient]) -> TestClient:
    return start()
