"""Data sets: index, split, decode, batches."""
