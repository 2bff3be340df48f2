"""Whether films look like those that the model was measured on."""
