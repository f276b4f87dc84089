"""Handful on clusters."""
