"""The pneumo-infer command."""
