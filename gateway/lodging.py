"""Is a submission effectively lodged? Judged by the gmina's rules when it is processed, stored, and acted on.

The ruling costs the citizen nothing: whatever it says, the document is kept and its receipt given. It is stored once by
the policy; clerks' rulings stand beside it (operations), and the newest one counts.
"""

from __future__ import annotations

from sqlalchemy import Connection

from gateway.effectiveness import judge
from gateway.store import events, rulings
from gateway.tools import Tools
from schemas.effectiveness import Effect, Effectiveness, LodgingPolicy
from schemas.submission import Submission

RULED = "effectiveness_ruled"  # the event
HELD = {
    Effect.INEFFECTIVE: "effectiveness.held_ineffective",
    Effect.CLERK_DECIDES: "effectiveness.held_undecided",
}


def ruling(transaction: Connection, submission: Submission, tools: Tools) -> Effectiveness | None:
    """What stands, judged now where nobody has; None for tests and boxes nobody owns."""
    policy = _policy(submission, tools)
    if policy is None:
        return None
    stands = rulings.standing(transaction, submission.id)
    if stands is not None:
        return stands
    made = judge(
        policy.rule,
        form=submission.form_namespace,
        channel=submission.channel,
        lodged_at=submission.posted_at or submission.received_at,
    )
    rulings.add(transaction, submission.id, made)
    events.append(transaction, submission.id, RULED, **rulings.facts(made))
    return made


def held_for(transaction: Connection, submission: Submission, stands: Effectiveness | None, tools: Tools) -> str | None:
    """The code a submission is held with because of its ruling; None: it goes on, or a person has let it go on."""
    policy = _policy(submission, tools)
    if policy is None or stands is None or not policy.holds(stands.effect):
        return None
    return None if rulings.let_go_on(transaction, submission.id) else HELD[stands.effect]


def _policy(submission: Submission, tools: Tools) -> LodgingPolicy | None:
    tenant = tools.config.tenants.get(submission.tenant or "")
    return None if tenant is None or submission.is_test else tenant.effectiveness
