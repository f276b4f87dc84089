"""Tools for testing learners, for Handful and for packages that extend it."""
