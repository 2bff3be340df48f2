"""Run a model that nothing vouches for on two films before its first answer counts."""

from __future__ import annotations

from threading import Timer
from typing import Any

import numpy as np

from pneumo_infer.errors import ModelError, excerpt
from pneumo_infer.model.graph import USE_EXPORTED
from pneumo_infer.model.info import OUTPUTS, ModelInfo
from pneumo_infer.model.outputs import check_outputs
from pneumo_infer.model.session import load_onnxruntime

TRIAL_SECONDS = 20.0  # fifty times what the fp32 ResNet50 needs for two films on one slow core


def try_out(session: Any, model: ModelInfo) -> None:
    """Run a session on two films, for at most `TRIAL_SECONDS`, and check its outputs.

    onnxruntime ends a run between two operators, and so does not end a single operator that takes too long.

    Raises
    ------
    ModelError
        The run fails or takes too long, or an output is impossible.
    """
    films = np.zeros((2, 224, 224, 1), np.uint8)
    films[1] = np.arange(224, dtype=np.uint8)[:, None, None]
    options = load_onnxruntime().RunOptions()
    timer = Timer(TRIAL_SECONDS, setattr, (options, "terminate", True))
    timer.daemon = True
    timer.start()
    try:
        outputs = dict(zip(OUTPUTS, session.run(OUTPUTS, {"image": films}, options), strict=True))
    except Exception as error:  # onnxruntime has a separate exception class for each status code
        reason = excerpt(str(error))
        problem = f"did not finish a trial run within {TRIAL_SECONDS:g} s" if options.terminate else f"fails ({reason})"
        raise ModelError(model.path.name, problem, USE_EXPORTED) from error
    finally:
        timer.cancel()
    check_outputs(outputs, len(films), model.heatmap_side, model.path.name)
