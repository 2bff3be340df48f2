"""pneumo-export: converts a trained model to self-contained ONNX files and checks them against the Keras model."""
