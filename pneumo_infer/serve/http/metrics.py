"""What Prometheus is told: numbers of films, times and distances, and nothing about a single film."""

from __future__ import annotations

import os
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from pneumo_infer.prediction import Prediction

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # of prometheus_client: where worker processes leave their numbers
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64)
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
DISTANCES = (0.25, 0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 2, 4)  # relative to the model's limit


class Metrics:
    """The metrics of one service. With several worker processes, each scrape adds them up."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.films = Counter(
            "pneumo_films",
            "Films answered, by outcome, and by the reason for review.",
            ["outcome", "reason"],
            registry=registry,
        )
        self.distances = Histogram(
            "pneumo_domain_distance_ratio",
            "Domain distance of films, relative to the model's limit.",
            buckets=DISTANCES,
            registry=registry,
        )
        self.batches = Histogram(
            "pneumo_batch_films", "Films in a run of the network.", buckets=BATCH_SIZES, registry=registry
        )
        self.requests = Histogram(
            "pneumo_request_seconds",
            "Time from the head of a request to its last byte of answer.",
            ["route", "status"],
            buckets=SECONDS,
            registry=registry,
        )
        self._sizes: dict[str, Callable[[], float]] = {}
        self._queue = {
            name: Gauge(f"pneumo_queue_{name}", text, multiprocess_mode="livesum", registry=registry)
            for name, text in {
                "requests": "Requests that are received or answered.",
                "bytes": "Bytes of the films of these requests.",
                "films": "Films that wait to be read.",
            }.items()
        }

    def count(self, prediction: Prediction, domain_limit: float) -> None:
        """Count a film that was answered; the outcome of one that cannot be read is `error`."""
        self.films.labels(prediction.outcome or "error", prediction.reason or "").inc()
        if prediction.domain_distance is not None:
            self.distances.observe(prediction.domain_distance / domain_limit)

    def watch_queue(self, **sizes: Callable[[], float]) -> None:
        """Say where `requests`, `bytes` and `films` of the queue are to be looked up at a scrape."""
        self._sizes = sizes

    def text(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        for name, size in self._sizes.items():
            self._queue[name].set(size())
        if not os.environ.get(SHARED_FOLDER):
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)
