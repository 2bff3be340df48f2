"""Random changes to films, as layers in training and as degraded copies."""
