"""The HTTP service: predictions, overlays, model, health, metrics, and a page for people."""
