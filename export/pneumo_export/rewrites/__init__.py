"""Changes to an ONNX graph that keep its results: `onnxscript.rewriter` rules and passes over `onnx_ir` models."""
