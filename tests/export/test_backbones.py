"""Each backbone is exported in all precisions, and passes the gates."""

from __future__ import annotations

from pathlib import Path

import pytest
from exported_backbones import export_and_prove
from made_once import in_a_process

from pneumo_train.model.backbones import BACKBONES


@pytest.mark.slow
@pytest.mark.parametrize("backbone", sorted(BACKBONES.keys() - {"resnet50"}))
def test_every_precision_passes_the_gates(backbone: str, tiny_run: Path, tmp_path: Path) -> None:
    in_a_process(export_and_prove, backbone, tiny_run, tmp_path)
