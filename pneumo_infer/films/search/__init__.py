"""Find films in folders."""
