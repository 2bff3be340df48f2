"""Changes to an ONNX graph that keep its answers."""
