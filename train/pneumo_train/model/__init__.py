"""The network, its calibration, and the files of a trained model."""
