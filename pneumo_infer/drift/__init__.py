"""Check whether films look like the model's validation films."""
