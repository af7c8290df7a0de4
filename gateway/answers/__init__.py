"""Answers to citizens: dues and arrears become statements, certificates, letters: as text, XML, accessible PDF."""
