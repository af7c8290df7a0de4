"""The staging tables to agree with a vendor, one DDL file for each database."""
