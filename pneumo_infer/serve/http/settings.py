"""What a service is started with."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import asdict, dataclass
from typing import Self

from pneumo_infer.limits import LIMITS, Limits
from pneumo_infer.model.session import Device

VARIABLE = "_PNEUMO_SERVE_HTTP"  # has the settings as JSON in worker processes; of the token only its digest


@dataclass(frozen=True, slots=True)
class Settings:
    """What a service is started with; see `pneumo-serve http --help`.

    Attributes
    ----------
    model, device, threads, threshold, limits, isolate
        As for `Classifier`. `limits.encoded_bytes` is the limit of a whole request too.
    batch_size
        Films per run of the network, at most.
    max_films
        Films in a request, at most.
    queue_requests, queue_bytes
        Requests that are received or answered at a time, and bytes of their films.
    client_seconds
        A client is cut off if it neither sends nor takes anything for this long.
    answer_seconds
        Time to answer a request, once it has been received.
    token_digest
        SHA-256 of the token that requests must carry, hexadecimal; None if they need none.
    local_only
        Answer only requests that name this machine as `localhost` or by its loopback address.
    origins
        Origins of other web pages that may use the service.
    """

    model: str | None = None
    device: Device = "auto"
    threads: int | None = None
    threshold: float | str | None = None
    limits: Limits = LIMITS
    isolate: bool = True
    batch_size: int = 16
    max_films: int = 64
    queue_requests: int = 128
    queue_bytes: int = 256_000_000
    client_seconds: int = 10
    answer_seconds: int = 60
    token_digest: str | None = None
    local_only: bool = True
    origins: tuple[str, ...] = ()

    def accepts(self, token: str) -> bool:
        """Compare a token with the one required, in constant time."""
        return self.token_digest is None or hmac.compare_digest(digest(token), self.token_digest)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        fields = json.loads(text)
        limits, origins = Limits(**fields.pop("limits")), tuple(fields.pop("origins"))
        return cls(**fields, limits=limits, origins=origins)


def digest(token: str) -> str:
    """Return the digest of a token as `Settings` has it."""
    return hashlib.sha256(token.encode()).hexdigest()
