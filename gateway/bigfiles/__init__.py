"""Big files: documents refer to them, ePUAP gives each out once, and what came is written down before it is read."""
