"""The meta-training loop, evaluation and calibration."""
