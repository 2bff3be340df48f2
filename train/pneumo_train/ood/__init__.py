"""Out-of-distribution (OOD) detection: recognise films of a kind that the model was not trained on."""
