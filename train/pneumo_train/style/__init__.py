"""Acquisition style: how much a model depends on how a film was made."""
