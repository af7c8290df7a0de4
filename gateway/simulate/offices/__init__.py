"""Simulated back offices: separate programs on loopback that fail on request and count what they got."""
