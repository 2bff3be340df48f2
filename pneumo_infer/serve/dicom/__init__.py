"""A DICOM node: it receives films, and answers each with a structured report and an overlay (PS3.4 annex B)."""
