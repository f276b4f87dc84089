"""HTTP, storage and batching. Only the worker and the training commands know torch."""
