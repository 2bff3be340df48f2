"""Out-of-distribution detection: which films the model does not know."""
