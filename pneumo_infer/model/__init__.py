"""The ONNX model: its location, checksum, metadata and session."""
