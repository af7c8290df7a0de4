"""The gateway: receive, verify, validate, receipt, map, deliver, reply. Start reading at flow.py."""
