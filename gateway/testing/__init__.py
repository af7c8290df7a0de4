"""What connector authors test with: remembered steps in memory, a sample case, and the contract suite."""
