"""Receipts (UPO) in one place: issue an UPP or UPD, read an UPP or UPD, tell whether a receipt is for a document."""

from gateway.receipts.check import Binding, ReceiptCheck, check_receipt
from gateway.receipts.issue import UpdFacts, UppFacts, issue_upd, issue_upp
from gateway.receipts.read import is_receipt, read_receipt
from gateway.receipts.seal import SealKey, TimeStamper

__all__ = [
    "Binding",
    "ReceiptCheck",
    "SealKey",
    "TimeStamper",
    "UpdFacts",
    "UppFacts",
    "check_receipt",
    "is_receipt",
    "issue_upd",
    "issue_upp",
    "read_receipt",
]
