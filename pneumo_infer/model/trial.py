"""Run a model that nothing vouches for on two films before its first answer counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from pneumo_infer.errors import ModelError, excerpt
from pneumo_infer.model.graph import USE_EXPORTED
from pneumo_infer.model.info import OUTPUTS, ModelInfo
from pneumo_infer.model.outputs import check_outputs
from pneumo_infer.model.session import load_onnxruntime
from pneumo_infer.model.time_limit import in_time

TRIAL_SECONDS = 20.0  # fifty times what the fp32 ResNet50 needs for two films on one slow core


def try_out(session: Any, model: ModelInfo) -> None:
    """Run a session on two films, for at most `TRIAL_SECONDS`, and check its outputs.

    Raises
    ------
    ModelError
        The run fails or takes too long, or an output is impossible.
    """
    films = np.zeros((2, 224, 224, 1), np.uint8)
    films[1] = np.arange(224, dtype=np.uint8)[:, None, None]
    options = load_onnxruntime().RunOptions()
    try:
        values = in_time(TRIAL_SECONDS, lambda: session.run(OUTPUTS, {"image": films}, options))
    except TimeoutError:
        options.terminate = True  # the run ends after its current operator
        problem = f"did not finish a trial run within {TRIAL_SECONDS:g} s"
        raise ModelError(model.path.name, problem, USE_EXPORTED) from None
    except Exception as error:  # onnxruntime has a separate exception class for each status code
        raise ModelError(model.path.name, f"fails ({excerpt(str(error))})", USE_EXPORTED) from error
    outputs = dict(zip(OUTPUTS, values, strict=True))
    check_outputs(outputs, len(films), model.heatmap_side, model.path.name)
