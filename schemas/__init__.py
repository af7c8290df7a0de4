"""Our shapes: identifiers, submissions, verdicts, cases, receipts, deliveries. Imported by everyone, imports none of us."""
