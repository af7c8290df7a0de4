"""Our shapes: identifiers, submissions, verdicts, cases, receipts, deliveries. They import none of us."""
