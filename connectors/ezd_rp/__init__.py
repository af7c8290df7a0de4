"""EZD RP: the Integrator API v2 of the state EZD."""
