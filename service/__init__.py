"""HTTP, storage and batching. Only `engine/device.py` and the training commands know torch."""
