"""Wait a limited time for what onnxruntime does with a model that nothing vouches for."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

Result = TypeVar("Result")


def in_time(seconds: float, function: Callable[[], Result]) -> Result:
    """Call a function in a thread, and return what it returns.

    A function that takes longer is no longer waited for. Its thread cannot be stopped: it goes on until the function
    returns or the process ends, which does not wait for it.

    Raises
    ------
    TimeoutError
        The function takes longer than that.
    """
    future: Future[Result] = Future()

    def call() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # for the thread that waits
            future.set_exception(error)

    Thread(target=call, name="pneumo-model", daemon=True).start()
    return future.result(seconds)
