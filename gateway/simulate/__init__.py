"""The simulated ePUAP and offices of demo and tests: separate programs, faults on request."""
