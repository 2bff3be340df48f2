"""Proof that a file answers as the Keras model does."""
