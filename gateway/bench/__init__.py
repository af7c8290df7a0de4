"""Measurements, each beside its floor in the same run; `brama bench`. Never part of the tests' verdict."""
