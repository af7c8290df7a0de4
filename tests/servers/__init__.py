"""Servers that misbehave, for tests."""
