"""Check that an exported file gives the same results as the Keras model."""
