"""Support sets, records and states in Redis."""
