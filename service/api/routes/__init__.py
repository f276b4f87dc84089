"""Thin: parse, call the use case, shape the answer."""
