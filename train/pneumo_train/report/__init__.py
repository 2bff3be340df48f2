"""Plots, and the report of an evaluation."""
