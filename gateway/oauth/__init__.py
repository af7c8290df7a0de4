"""Access tokens (JWT) of a gmina's own identity provider, beside our keys: see docs/api.md.

`issuer` holds the provider's public keys, `tokens` verifies what a caller shows, `rights` reads from the claims whose
cases it may see and what it may do. Parsing and signatures are joserfc's, the JOSE library under authlib.
"""
