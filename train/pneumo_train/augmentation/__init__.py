"""Random changes to films: layers for training, and degraded copies."""
