"""Check an ONNX file before onnxruntime loads it: no weights in other files, no operators but the standard ones.

onnxruntime would open the other files, and tells neither the operators nor their domains. The light installation has no
`onnx`, so this reads the protobuf encoding itself (protobuf.dev, "Encoding"): only the fields that it checks, with the
numbers of onnx.proto, and without copying weights.
"""

from __future__ import annotations

from collections.abc import Iterator

from pneumo_infer.errors import ModelError, excerpt

STANDARD_DOMAINS = frozenset({"", "ai.onnx"})
MAX_FIELDS = 100_000  # the exported int8 ResNet50 has 6,400
MAX_DEPTH = 20  # of messages within messages; the exported models have 5
MAX_METADATA = 1_000_000  # bytes; the exported models have about 10,000
USE_EXPORTED = "use an ONNX file written by pneumo-export"
# onnx.proto: for each message the fields that are messages themselves and may hold what is checked.
CHILDREN = {
    "model": {7: "graph", 14: "entry", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
}
NODE_DOMAIN, TENSOR_EXTERNAL_DATA, TENSOR_DATA_LOCATION, ENTRY_KEY = 7, 13, 14, 1
VARINT, LENGTH_DELIMITED, FIXED_BYTES = 0, 2, {1: 8, 5: 4}
MAX_VARINT_BYTES = 10

Field = tuple[int, int | memoryview]


def check_content(content: bytes, name: str) -> None:
    """Check the structure of an ONNX file.

    Parameters
    ----------
    content
        The file.
    name
        Its name, for error messages.

    Raises
    ------
    ModelError
        The file is not ONNX, has external data, functions, operators of other domains or an entry of metadata twice, or
        has more parts, more nesting or more metadata than any model of pneumo-export.
    """
    try:
        problem = next(_problems(_Reader(content)), None)
    except IndexError:
        problem = "is not a valid ONNX file (cut off)"
    except ValueError as error:
        problem = f"is not a valid ONNX file ({error})"
    if problem is not None:
        raise ModelError(name, problem, USE_EXPORTED)


class _Reader:
    """Walks through the messages of an ONNX file."""

    def __init__(self, content: bytes) -> None:
        self._content = memoryview(content)
        self._fields_left = MAX_FIELDS

    def messages(self) -> Iterator[tuple[str, list[Field]]]:
        """Yield the kind of each message and its fields, outer messages first."""
        return self._walk("model", self._content, depth=1)

    def _walk(self, kind: str, message: memoryview, depth: int) -> Iterator[tuple[str, list[Field]]]:
        if depth > MAX_DEPTH:
            raise ValueError("nested too deeply")
        fields = list(self._fields(message))
        yield kind, fields
        children = CHILDREN.get(kind, {})
        for number, value in fields:
            if number in children and isinstance(value, memoryview):
                yield from self._walk(children[number], value, depth + 1)

    def _fields(self, message: memoryview) -> Iterator[Field]:
        """Yield number and value of each field that is an integer, a string or a message."""
        at = 0
        while at < len(message):
            self._fields_left -= 1
            if self._fields_left < 0:
                raise ValueError(f"more than {MAX_FIELDS:,} fields")
            tag, at = _varint(message, at)
            number, encoding = tag >> 3, tag & 7
            if encoding == VARINT:
                value, at = _varint(message, at)
                yield number, value
            elif encoding == LENGTH_DELIMITED:
                size, at = _varint(message, at)
                if at + size > len(message):
                    raise ValueError("cut off")
                yield number, message[at : at + size]
                at += size
            elif encoding in FIXED_BYTES:
                at += FIXED_BYTES[encoding]
            else:
                raise ValueError("not protobuf")


def _problems(reader: _Reader) -> Iterator[str]:
    keys: set[str] = set()
    metadata = 0
    for kind, fields in reader.messages():
        if kind == "function":
            yield "defines functions, whose operators are not standard"
        elif kind == "node":
            for domain in _texts(fields, NODE_DOMAIN):
                if domain not in STANDARD_DOMAINS:
                    yield f"uses operators of the domain '{excerpt(domain)}'"
        elif kind == "tensor":
            if any(value for number, value in fields if number in (TENSOR_EXTERNAL_DATA, TENSOR_DATA_LOCATION)):
                yield "stores weights in other files (external data)"
        elif kind == "entry":
            metadata += sum(len(value) for _, value in fields if isinstance(value, memoryview))
            if metadata > MAX_METADATA:
                yield f"has more than {MAX_METADATA:,} bytes of metadata"
            for key in _texts(fields, ENTRY_KEY):
                if key in keys:
                    yield f"has the metadata entry {excerpt(key)} twice"
                keys.add(key)


def _texts(fields: list[Field], wanted: int) -> Iterator[str]:
    return (
        str(value, "utf-8", "replace") for number, value in fields if number == wanted and not isinstance(value, int)
    )


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 7 * MAX_VARINT_BYTES, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("not protobuf")
