"""Decode films (files, DICOM, arrays) and resize them to the network's input."""
