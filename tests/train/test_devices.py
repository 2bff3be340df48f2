"""Detection of bfloat16 support."""

from __future__ import annotations

from pathlib import Path

import pytest

from pneumo_train.training import devices
from pneumo_train.training.devices import BFLOAT16_FLAGS, processor_flags


@pytest.mark.parametrize(
    ("line", "has_it"),
    [
        ("flags\t\t: fpu avx512f avx512_bf16", True),
        ("flags\t\t: fpu amx_bf16 amx_tile", True),
        ("Features\t: fp asimd bf16", True),
        ("flags\t\t: fpu avx2", False),
    ],
)
def test_bfloat16_of_a_processor(tmp_path: Path, line: str, has_it: bool) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\n{line}\nbugs\t: bf16_x\n", encoding="utf-8")
    assert bool(BFLOAT16_FLAGS & processor_flags(cpuinfo)) == has_it


def test_a_system_without_cpuinfo_names_no_flags(tmp_path: Path) -> None:
    assert processor_flags(tmp_path / "missing") == set()


@pytest.mark.parametrize("fast", [True, False])
def test_mixed_precision_warns_where_it_is_emulated(
    fast: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(devices, "has_fast_bfloat16", lambda: fast)
    with devices.computing(mixed_precision=True, distribute="none"):
        pass
    with devices.computing(mixed_precision=False, distribute="none"):
        pass
    assert capfd.readouterr().err.count("likely to be slower") == (0 if fast else 1)
