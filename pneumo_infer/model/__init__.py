"""The ONNX file: where it is, what it says of itself, and the session that runs it."""
