"""Clients that go on learning."""
