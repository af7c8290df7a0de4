"""The outbox: messages to citizens are sent once, looked up when in doubt, and settled by the receipts that come."""
