"""Bounds on what a film file may cost, checked before it is decoded."""
