"""Format the result of the drift check as JSON or as text."""

from __future__ import annotations

from typing import Any

from pneumo_infer.drift.comparison import LEAST_FILMS, Drift, Measure, Verdict
from pneumo_infer.drift.reference import Histogram, Reference, name_quantiles

Row = tuple[str, str, str, str, str]


def as_dict(drift: Drift, reference: Reference, unreadable: int, model: str) -> dict[str, Any]:
    """Return the report as a JSON-serialisable object. `unreadable` is the number of unreadable films."""
    return {
        **drift.to_dict(),
        "unreadable": unreadable,
        "model": model,
        "reference": {
            "films": reference.films,
            "out_of_domain": reference.out_of_domain / reference.films,
            "pneumonia_share": reference.pneumonia / reference.films,
            "quantiles": {
                "probability": name_quantiles(reference.probability.quantiles),
                "domain_distance": name_quantiles(reference.domain_distance.quantiles),
            },
        },
    }


def as_text(drift: Drift, reference: Reference, unreadable: int, model: str) -> str:
    """Format the report as a table with the verdict below it."""
    note = f" ({unreadable} unreadable)" if unreadable else ""
    lines = [
        *(_table(drift, reference) if drift.measures else []),
        f"{drift.films} films{note} compared with {reference.films} validation films of {model}",
        _verdict(drift),
    ]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _table(drift: Drift, reference: Reference) -> list[str]:
    shares, indices = "{:.1%}".format, "{:.2f}".format
    measures = drift.measures
    rows: list[Row] = [
        ("", "these films", "validation", "limit", ""),
        _measured("out of domain", measures["out_of_domain"], shares, reference.out_of_domain / reference.films),
        _measured("domain_distance, PSI", measures["domain_distance"], indices),
        _measured("probability, PSI", measures["probability"], indices),
        _spread("domain_distance", "{:.1f}", drift, reference.domain_distance),
        _spread("probability", "{:.3f}", drift, reference.probability),
        (
            "PNEUMONIA, estimated",
            f"{drift.pneumonia_share:.0%}",
            f"{reference.pneumonia / reference.films:.0%}",
            "",
            "",
        ),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(widths[at]) for at, cell in enumerate(row[1:], start=1))])
        for row in rows
    ]


def _measured(name: str, measure: Measure, shown: Any, validation: float | None = None) -> Row:
    known = "" if validation is None else shown(validation)
    return name, shown(measure.value), known, shown(measure.limit), "" if measure.passed else "above"


def _spread(name: str, number: str, drift: Drift, histogram: Histogram) -> Row:
    here, there = (" | ".join(map(number.format, values)) for values in (drift.quantiles[name], histogram.quantiles))
    return f"{name}, 10 | 50 | 90 %", here, there, "", ""


def _verdict(drift: Drift) -> str:
    if drift.verdict is Verdict.TOO_FEW:
        return f"too few films: {drift.films}, but a verdict needs at least {LEAST_FILMS}"
    if drift.verdict is Verdict.LIKE:
        return "like: no measure is above its limit; these films look like the validation films"
    above = ", ".join(name for name, measure in drift.measures.items() if not measure.passed)
    return f"unlike: above the limit: {above}; the model's published metrics may not hold for these films"
