"""pneumo-export: converts a trained model to one self-contained ONNX file and proves it equal before letting it out."""
