"""Checks beyond the schema: pure functions from a case, or a document's tree, to findings. None changes a figure.

case_checks        what a case says of itself: sums, rows, instalments, months, annexes, amounts where none belong
addressee_checks   is it meant for the gmina it reached
document_checks    identifiers with check digits, and attachments, wherever they stand in the document
"""

from gateway.checks.addressee import Receiver, addressee_checks
from gateway.checks.case import case_checks, unread_findings
from gateway.checks.document import document_checks

__all__ = ["Receiver", "addressee_checks", "case_checks", "document_checks", "unread_findings"]
