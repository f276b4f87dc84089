"""From what clients send to arrays: one file per input kind, labels, limits."""
