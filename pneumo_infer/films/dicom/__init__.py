"""DICOM films: parse, decode, display, and what their header says (DICOM PS3.3, PS3.5, PS3.10)."""
