"""Learners, encoders, datasets and the training loop. They use torch only, and know neither HTTP nor Redis."""
