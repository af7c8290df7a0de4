"""Receipts (UPO): issue our own, read anybody's, tell whether one is for a document."""
