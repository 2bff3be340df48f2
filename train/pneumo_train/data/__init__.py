"""Folders of films to batches: index, split, decode."""
