"""From facts to letters: which template, which rows and sums, which payment codes. Pure; nothing is sent or stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from gateway.answers import payment, polish
from gateway.answers.certificate import Outcome, Request, Ruling
from gateway.answers.events import Document
from gateway.answers.ledgers import select
from gateway.answers.letter import Code, Letter, address_lines, name_of
from gateway.answers.office import Office
from gateway.answers.templates import Templates, Words
from gateway.clock import WARSAW
from schemas.answers import ZERO, DueItem, Dues, PaymentOrder, SettlementStatement, Totals
from schemas.case_parts import Party
from schemas.effectiveness import Effectiveness
from schemas.errors import AnswerError

_CERTIFICATES = {
    Outcome.CERTIFY_NONE: Document.CERTIFICATE_NONE,
    Outcome.CERTIFY_ARREARS: Document.CERTIFICATE_ARREARS,
    Outcome.REFUSE: Document.REFUSAL,
}


@dataclass(frozen=True, slots=True)
class Matter:
    """What is answered: who gets the answer, and the citizen's letter it belongs to. `received_on`: Polish calendar."""

    party: Party
    received_on: date
    case_number: str | None = None
    subject: str | None = None
    declaration: str | None = None  # the declaration a correction is asked for, by its name


@dataclass(frozen=True, slots=True)
class Doubt:
    """One thing in a declaration that must be explained. Texts as a clerk would say them."""

    place: str
    reason: str
    found: str | None = None
    expected: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision (decyzja) that is delivered."""

    number: str
    dated: date
    subject: str


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a document was not accepted: the reason as a sentence, its code, and each finding as one."""

    file_name: str
    reason: str
    code: str
    points: tuple[str, ...] = ()


class Composer:
    """Writes one tenant's letters from its templates and its office card."""

    def __init__(self, templates: Templates, office: Office) -> None:
        self.templates = templates
        self.office = office

    def statement(self, dues: Dues) -> SettlementStatement:
        """The dues sorted for a settlement statement, with the transfers that would settle them."""
        day = dues.as_of.astimezone(WARSAW).date()
        late, coming = select(dues.items, late_on=day)
        return SettlementStatement(
            dues=dues,
            day=day,
            arrears=late,
            upcoming=coming,
            overpaid=tuple(item for item in dues.items if item.overpaid > ZERO),
            unposted=tuple(item for item in dues.items if item.unposted > ZERO),
            payments=self._payments(late, coming),
        )

    def settlement_statement(self, matter: Matter, dues: Dues) -> Letter:
        """Informacja o stanie rozliczeń."""
        made = self.statement(dues)
        data = {
            "as_of": dues.as_of,
            "day": made.day,
            "arrears": self._rows(made.arrears),
            "upcoming": self._rows(made.upcoming),
            "overpaid": self._rows(made.overpaid),
            "unposted": self._rows(made.unposted),
            "late": Totals.of(made.arrears),
            "coming": Totals.of(made.upcoming),
            "accounts": self._accounts((*made.arrears, *made.upcoming)),
            "missing": [self._ledger(source.name) for source in dues.missing],
            "codes": [_code(order) for order in made.payments],
        }
        return self._letter(Document.SETTLEMENT_STATEMENT, matter, made.day, data)

    def certificate(self, matter: Matter, request: Request, ruling: Ruling, *, proceedings: str = "") -> Letter:
        """What the ruling says: a certificate of no arrears, one that states them, or the refusal (postanowienie).

        Args: proceedings: what proceedings of art. 306e § 2 run, in words; empty: none, which the approver states.

        Raises: AnswerError: `answers.nothing_to_certify` where the ruling asks for a fee or a clerk.
        """
        document = _CERTIFICATES.get(ruling.outcome)
        if document is None:
            raise AnswerError("answers.nothing_to_certify", outcome=ruling.outcome.value)
        data = {
            "request": request,
            "proceedings": proceedings,
            "arrears": self._rows(ruling.arrears.items),
            "late": ruling.arrears.totals,
        }
        return self._letter(document, matter, ruling.arrears.day, data)

    def fee_call(self, matter: Matter, request: Request, dated: date) -> Letter:
        """Wezwanie do uiszczenia opłaty skarbowej, with a payment code where the office gave an account.

        Raises: AnswerError: `answers.fee_not_missing`.
        """
        missing = request.fee.missing
        if missing <= ZERO:
            raise AnswerError("answers.fee_not_missing")
        account = self.office.stamp_duty_account
        data = {
            "request": request,
            "fee_missing": missing,
            "account": account,
            "codes": [_code(self._fee_order(account, missing))] if account else [],
        }
        return self._letter(Document.FEE_CALL, matter, dated, data)

    def correction_call(
        self, matter: Matter, doubts: Sequence[Doubt], dated: date, *, days: int = 7, arithmetic: bool = False
    ) -> Letter:
        """Wezwanie do wyjaśnień lub korekty: art. 274a § 2, or art. 274 § 1 pkt 2 for errors of arithmetic."""
        figures = any(doubt.found or doubt.expected for doubt in doubts)
        data = {"doubts": list(doubts), "days": days, "arithmetic": arithmetic, "figures": figures}
        return self._letter(Document.CORRECTION_CALL, matter, dated, data)

    def decision_delivery(self, matter: Matter, decision: Decision, files: Sequence[str], dated: date) -> Letter:
        """The letter a decision travels with; `files` are the names of what is attached."""
        return self._letter(Document.DECISION_DELIVERY, matter, dated, {"decision": decision, "files": list(files)})

    def ineffective_notice(self, matter: Matter, ruling: Effectiveness, dated: date) -> Letter:
        """Zawiadomienie that a letter was not effectively lodged, with the policy's own text where it has one."""
        return self._letter(Document.INEFFECTIVE_NOTICE, matter, dated, {"ruling": ruling})

    def resend_request(self, matter: Matter, files: Sequence[str], dated: date) -> Letter:
        """A request to send attachments again that ePUAP gave out once and that were lost on the way to the office."""
        return self._letter(Document.RESEND_REQUEST, matter, dated, {"files": list(files)})

    def rejection_notice(self, matter: Matter, rejection: Rejection, dated: date) -> Letter:
        """Zawiadomienie that a document was not accepted, with the reason, its code and what was found."""
        return self._letter(Document.REJECTION_NOTICE, matter, dated, asdict(rejection))

    def _letter(self, document: Document, matter: Matter, dated: date, own: Mapping[str, Any]) -> Letter:
        data = {
            "office": self.office,
            "party": _party(matter.party),
            "matter": matter,
            "dated": dated,
            "law": self.templates.words.law,
            **own,
        }
        title, subtitle, basis = self.templates.head(document.value, data)
        return Letter(
            template=document.value,
            title=title,
            subtitle=subtitle,
            basis=basis,
            dated=dated,
            sender=self.office.sender,
            addressee=matter.party,
            blocks=self.templates.blocks(document.value, data),
            case_number=matter.case_number,
        )

    def _payments(self, late: Sequence[DueItem], coming: Sequence[DueItem]) -> tuple[PaymentOrder, ...]:
        of_late, of_coming = self._orders(late), self._orders(coming)
        late_sum = payment.together(of_late, "Razem zaległości")
        whole = payment.together((*of_late, *of_coming), "Razem należności")
        sums = {(order.account, order.amount): order for order in (*whole, *late_sum)}
        return (*of_late, *of_coming, *sums.values())

    def _orders(self, items: Iterable[DueItem]) -> tuple[PaymentOrder, ...]:
        words = self.templates.words
        return payment.orders(items, words, recipient=self.office.recipient, nip=self.office.nip)

    def _fee_order(self, account: str, amount: Decimal) -> PaymentOrder:
        title = "Opłata skarbowa, zaświadczenie"
        return PaymentOrder(
            name=title,
            account=account,
            amount=amount,
            recipient=self.office.recipient,
            title=title,
            nip=self.office.nip,
        )

    def _rows(self, items: Iterable[DueItem]) -> list[dict[str, Any]]:
        return [_row(item, self.templates.words) for item in items]

    def _accounts(self, items: Iterable[DueItem]) -> list[dict[str, Any]]:
        shared: dict[str, list[str]] = {}
        for item in items:
            if item.account is not None:
                names = shared.setdefault(item.account, [])
                kind = self.templates.words.kinds.get(item.kind, item.kind)
                names += [] if kind in names else [kind]
        return [{"account": account, "names": names} for account, names in shared.items()]

    def _ledger(self, name: str) -> str:
        return self.templates.words.ledgers.get(name, name)


def _row(item: DueItem, words: Words) -> dict[str, Any]:
    """One due as a template's row: its fields, what they add up to, and its name in Polish."""
    sums = {key: getattr(item, key) for key in ("payable_on", "outstanding", "overpaid", "to_pay", "to_transfer")}
    return {**item.model_dump(), **sums, "name": payment.name_of(item, words.kinds)}


def _party(party: Party) -> dict[str, str]:
    identifier = f"PESEL {party.pesel}" if party.pesel else f"NIP {party.nip}" if party.nip else ""
    return {"name": name_of(party), "identifier": identifier, "address": ", ".join(address_lines(party)[1:])}


def _code(order: PaymentOrder) -> Code:
    """A payment order as its code, and as the words beside it."""
    content = payment.code_text(order)
    by_hand = "" if payment.carries_amount(order) else " (kwotę wpisuje płacący)"
    lines = (
        order.name,
        f"Kwota: {polish.money(order.amount)}{by_hand}",
        f"Rachunek: {polish.account(order.account)}",
        f"Odbiorca: {order.recipient}",
        f"Tytuł: {order.title}",
    )
    return Code(svg=payment.qr_svg(content), content=content, lines=lines)
