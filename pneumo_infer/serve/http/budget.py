"""Bounds on what all requests together may hold, taken before anything of a request is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pneumo_infer.serve.http.errors import busy


class Budget:
    """Counts requests and bytes. It belongs to one event loop, so nothing is locked.

    Parameters
    ----------
    requests, size
        Requests at a time, and bytes that they may hold together.
    retry_after
        Returns after how many seconds a refused request may be repeated.
    """

    def __init__(self, requests: int, size: int, retry_after: Callable[[], int]) -> None:
        self._most_requests, self._most_bytes = requests, size
        self._retry_after = retry_after
        self.requests = self.bytes = 0

    @contextmanager
    def request(self, size: int) -> Iterator[Reservation]:
        """Reserve room for a request of this many bytes for the duration of the block.

        Raises
        ------
        RequestError
            There is no room.
        """
        if self.requests >= self._most_requests:
            raise busy("queue", f"{self.requests} requests are in it", self._retry_after())
        self.requests += 1
        reservation = Reservation(self)
        try:
            reservation.grow(size)
            yield reservation
        finally:
            self.requests -= 1
            self.bytes -= reservation.size

    def take(self, size: int) -> None:
        """Count bytes.

        Raises
        ------
        RequestError
            There is no room.
        """
        if self.bytes + size > self._most_bytes:
            raise busy("queue", f"has no room for {size} more bytes", self._retry_after())
        self.bytes += size


class Reservation:
    """What one request has reserved."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.size = 0

    def grow(self, size: int) -> None:
        """Reserve more bytes, or raise as `Budget.take` does."""
        self._budget.take(size)
        self.size += size
