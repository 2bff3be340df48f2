"""What benchmarks publish ends on one page, with the outcome that its figures have."""

from __future__ import annotations

from pathlib import Path

from benchmarks.interleaved import time_interleaved
from benchmarks.record import Comparison, publish
from benchmarks.report import main


def test_ratios_go_the_way_they_say() -> None:
    slower = Comparison("time", "peer", 3.0, 2.0, "s", "ours / peer", ("at most", 1.15))
    assert (slower.ratio, slower.reached) == (1.5, False)
    faster = Comparison("time", "peer", 2.0, 3.0, "s", "peer / ours", ("at least", 1.3))
    assert (faster.ratio, faster.reached) == (1.5, True)
    assert Comparison("time", "peer", 2.0, 3.0, "s", "peer / ours").reached is None


def test_the_page_has_every_benchmark(tmp_path: Path) -> None:
    results = tmp_path / "results"
    aimed = Comparison("wall time", "bare script", 0.5, 0.4, "s", "ours / peer", ("at most", 1.15))
    publish("coldstart", "Timed by hand.", [aimed], results / "coldstart.json")
    publish(
        "size", "Weighed.", [Comparison("size", "TensorFlow", 200, 2000, "MB", "peer / ours")], results / "size.json"
    )
    main(results, tmp_path / "RESULTS.md")
    page = (tmp_path / "RESULTS.md").read_text()
    assert "| wall time | bare script | 0.5 s | 0.4 s | 1.25 | ours / peer | at most 1.15 | not reached |" in page
    assert page.index("## coldstart") < page.index("Timed by hand.") < page.index("## size") < page.index("Weighed.")
    assert "- processors: " in page


def test_every_engine_gets_every_film() -> None:
    met: dict[str, list[int]] = {"a": [], "b": []}
    medians = time_interleaved({name: films.append for name, films in met.items()}, range(7))
    assert met == {name: [film for film in (*range(5), *range(7)) for _ in range(2)] for name in ("a", "b")}
    assert medians.keys() == met.keys()
