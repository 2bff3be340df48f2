"""Evaluation of a model on held-out and corrupted films."""
