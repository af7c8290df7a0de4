"""Connectors to back-office systems. They import schemas only and know nothing of ePUAP, the store or retries."""
