"""ePUAP as a channel for messages: nadaj or dorecz, and the SENT store to look for what may have been sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from schemas.errors import ServiceUnsettled
from schemas.ids import Mailbox, sha256
from schemas.outgoing import Accepted, LookUp, Message, MessageKind

from .send import Outgoing, Portal, Sender, Sent, StoredDocument

SENT = "SENT"
_EARLIER = timedelta(hours=3)  # the portal's clock is not ours, nor, perhaps, its zone
_OURS = "BRAMA-"
_MOST_READ = 20  # documents fetched to compare when no name tells


class EpuapPost:
    """Skrytka, Doręczyciel and the stores of one institution; see `schemas.outgoing.Post`."""

    def __init__(
        self,
        sender: Sender,
        portal: Portal,
        *,
        now: Callable[[], datetime],
        timeout_s: float,
        settle_s: float,
        look_up: LookUp,
        due_days: int = 14,
    ) -> None:
        """`due_days`: how long an addressee has to collect what is delivered (terminDoreczenia)."""
        self.timeout_s, self.settle_s, self.look_up = timeout_s, settle_s, look_up
        self._sender, self._portal, self._now, self._due = sender, portal, now, timedelta(days=due_days)

    def send(self, message: Message) -> Accepted:
        """Raises ServiceError, as the client's call."""
        outgoing = Outgoing(
            to=Mailbox(message.to),
            reply_mailbox=Mailbox(message.reply_to),
            document=message.document,
            file_name=message.file_name,
        )
        if message.kind is MessageKind.SUBMIT:
            return _accepted(self._sender.submit(outgoing))
        due = self._now() + self._due
        sent = self._sender.deliver(outgoing, due=due, document_id=message.document_id, case_id=message.case_id)
        return _accepted(sent)

    def find(self, message: Message) -> Accepted | None:
        """By the file's name, which is ours alone; else by the octets of what was sent since.

        Raises: ServiceError, also where more was sent since than can be compared: absence is not known then.
        """
        listed = self._portal.listing(SENT)
        found = next((one for one in listed if one.name == message.file_name), None)
        found = found or self._same_octets(message, may_be_ours(listed, message))
        if found is None:
            return None
        return Accepted(str(found.id), str(found.receipt_id) if found.receipt_id else None)

    def _same_octets(self, message: Message, likely: list[StoredDocument]) -> StoredDocument | None:
        for one in likely[:_MOST_READ]:
            if sha256(self._portal.content(one.id)) == message.sha256:
                return one
        if len(likely) > _MOST_READ:
            raise ServiceUnsettled(service="zarzadzanie-dokumentami", reason="too many to compare")
        return None


def may_be_ours(listed: list[StoredDocument], message: Message) -> list[StoredDocument]:
    """What the message may be under a name that is not of our making, likely ones first.

    Neither box nor time rules anything out that lacks them, and the box only sorts: how the portal writes it is not
    known for certain, and what is overlooked here would be sent twice.
    """
    since = message.created_at - _EARLIER
    strange = [
        one for one in listed if not one.name.startswith(_OURS) and (one.sent_at is None or one.sent_at >= since)
    ]
    return sorted(strange, key=lambda one: (one.addressee != message.to, -one.id))


def _accepted(sent: Sent) -> Accepted:
    return Accepted(sent.document_id, sent.receipt_id, sent.order_id, sent.receipt)
