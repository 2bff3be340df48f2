"""Write and lock files."""
