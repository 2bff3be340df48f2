"""Why a model was not exported."""

from __future__ import annotations

from pneumo_infer.errors import PneumoError


class ExportError(PneumoError, ValueError):
    """There is nothing that can be exported, or no room to write it to."""


class GraphError(PneumoError, ValueError):
    """A graph does not follow the contract."""


class ParityError(PneumoError, ValueError):
    """A file does not give the answers of the Keras model that it was made from."""
