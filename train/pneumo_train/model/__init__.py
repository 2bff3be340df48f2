"""The network, its calibration and thresholds, and the file that it is saved in."""
