"""Release of a trained model, and publication of its run."""
