"""A training run: phases, checkpoints, devices, progress."""
