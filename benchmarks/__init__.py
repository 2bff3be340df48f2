"""Benchmarks; each compares this package with its peers in one run and prints the ratios."""
