"""How good a model is, on held-out films and under corruptions."""
