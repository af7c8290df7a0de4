"""Schemas as data: a schema and everything it imports, compiled once, and what documents it can contain."""
