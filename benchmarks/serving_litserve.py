"""The peer of `benchmarks.serving`: the same classifier in LitServe, batched, with films as base64 in JSON.

python -m benchmarks.serving_litserve PORT
"""

# Annotations must be classes here, since LitServe compares them.
import base64
import sys
from typing import Any, cast

import litserve
from fastapi import Request

from pneumo_infer import Classifier, Prediction


class Films(litserve.LitAPI):  # type: ignore[misc]
    """Reads and classifies a batch of films."""

    def setup(self, device: str) -> None:
        self._classifier = Classifier(device="cpu")

    def decode_request(self, request: Request, **_context: Any) -> bytes:
        fields = cast("dict[str, str]", request)  # LitServe has parsed it, whatever the annotation
        return base64.b64decode(fields["film"])

    def predict(self, films: list[bytes], **_context: Any) -> list[Prediction]:
        return list(self._classifier.predict_many(films))

    def encode_response(self, prediction: Prediction, **_context: Any) -> dict[str, Any]:
        return prediction.to_dict()


if __name__ == "__main__":
    api = Films(max_batch_size=16, batch_timeout=0.005)
    litserve.LitServer(api, accelerator="cpu").run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False)
