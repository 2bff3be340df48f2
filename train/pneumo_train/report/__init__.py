"""Plots, and the evaluation report."""
