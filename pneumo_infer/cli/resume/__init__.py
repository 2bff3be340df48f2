"""Resume an earlier output."""
