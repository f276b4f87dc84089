"""Decode inputs and labels to arrays, within limits. One file per input kind."""
