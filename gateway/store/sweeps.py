"""What keeps work moving without anybody's memory: due deliveries get wake-ups, expired leases are recovered.

Any number of workers run these at once; rows are taken with SKIP LOCKED. Losing every job row loses nothing.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, RowMapping, func, select, text, update

from gateway.store import jobs
from gateway.store import tables as t

D = t.delivery.c
_OPEN = ("due", "waiting", "unsettled")

# Only a job still in the queue counts: one that is `doing` belongs to work that has begun, and then its delivery is
# `trying`; or the database went away under it, and nobody will ever finish it. A wake-up too many finds nothing to do.
_WITHOUT_JOB = """
NOT EXISTS (SELECT 1 FROM procrastinate_jobs j WHERE j.args ->> 'id' = {id}::text AND j.status = 'todo')
"""


def promote(connection: Connection, limit: int = 200) -> list[UUID]:
    """Deliveries whose time has come get their wake-up."""
    due = (
        select(D.id)
        .where(D.state.in_(_OPEN), D.woken_at.is_(None), D.due_at <= func.now())
        .order_by(D.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    woken = list(
        connection.execute(
            update(t.delivery).where(D.id.in_(due)).values(woken_at=func.now()).returning(D.id)
        ).scalars()
    )
    jobs.wake(connection, jobs.DELIVER, woken)
    return woken


def put_off(connection: Connection, limit: int = 1000) -> int:
    """Deliveries that are due at an office that is left alone just now wait as long as it is, without a wake-up each.

    A wake-up would find the same, one transaction per delivery: with a long queue at an office that is down for days
    that would be the gateway's main occupation.
    """
    done = connection.execute(
        text("""
            UPDATE delivery SET due_at = away.until
              FROM (SELECT d.id, CASE WHEN o.open_until > now() THEN o.open_until ELSE o.probe_until END AS until
                      FROM office o JOIN delivery d ON d.tenant = o.tenant AND d.connector = o.connector
                     WHERE o.open_until IS NOT NULL AND (o.open_until > now() OR o.probe_until > now())
                       AND d.state IN ('due', 'waiting', 'unsettled') AND d.woken_at IS NULL AND d.due_at <= now()
                     LIMIT :limit FOR UPDATE OF d SKIP LOCKED) away
             WHERE delivery.id = away.id
        """),
        {"limit": limit},
    )
    return done.rowcount


def forget_lost_wake_ups(connection: Connection, after_s: float, limit: int = 1000) -> int:
    """Deliveries woken a while ago whose job is gone become promotable again."""
    done = connection.execute(
        text(f"""
            UPDATE delivery SET woken_at = NULL
             WHERE id IN (SELECT d.id FROM delivery d
                           WHERE d.state IN ('due', 'waiting', 'unsettled')
                             AND d.woken_at < now() - make_interval(secs => :after_s)
                             AND {_WITHOUT_JOB.format(id="d.id")}
                           ORDER BY d.woken_at LIMIT :limit FOR UPDATE SKIP LOCKED)
        """),  # noqa: S608 - the only thing formatted in is a column of ours
        {"after_s": after_s, "limit": limit},
    )
    return done.rowcount


def drop_abandoned_jobs(connection: Connection, after_s: float = 3600.0) -> int:
    """Wake-ups that were taken long ago and never finished, because the database was away just then."""
    done = connection.execute(
        text("""
            DELETE FROM procrastinate_jobs j
             WHERE j.status = 'doing' AND NOT EXISTS (
                SELECT 1 FROM procrastinate_events e
                 WHERE e.job_id = j.id AND e.at > now() - make_interval(secs => :after_s))
        """),
        {"after_s": after_s},
    )
    return done.rowcount


def forgotten_processing(connection: Connection, limit: int = 200) -> list[UUID]:
    """Decided submissions nobody processes and no job will: they get a new wake-up."""
    found = list(
        connection.execute(
            text(f"""
                SELECT s.id FROM submission s
                 WHERE s.state = 'decided' AND (s.busy_until IS NULL OR s.busy_until < now())
                   AND {_WITHOUT_JOB.format(id="s.id")}
                 ORDER BY s.sequence LIMIT :limit FOR UPDATE SKIP LOCKED
            """),  # noqa: S608
            {"limit": limit},
        ).scalars()
    )
    jobs.wake(connection, jobs.PROCESS, found)
    return found


def expired(connection: Connection, limit: int = 100) -> list[RowMapping]:
    """Deliveries whose worker vanished, locked for the caller to recover; `now` is the database's time."""
    query = (
        select(t.delivery, func.now().label("now"))
        .where(D.state == "trying", D.lease_until < func.now())
        .order_by(D.lease_until)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(connection.execute(query).mappings())


def unpark(connection: Connection) -> list[UUID]:
    """Parked deliveries that wait for nothing any more (their head is done, their pause is over) become due.

    Whoever ends the wait unparks them; this is for the case that nobody did.
    """
    return list(
        connection.execute(
            text("""
                UPDATE delivery SET parked = NULL, due_at = now(), woken_at = NULL
                 WHERE id IN (
                    SELECT d.id FROM delivery d
                     WHERE d.parked <> 'fetch' AND d.state IN ('due', 'waiting', 'unsettled')
                       AND d.files IS DISTINCT FROM 'waited_for'
                       AND (d.order_key IS NULL OR NOT EXISTS (
                             SELECT 1 FROM delivery e WHERE e.order_key = d.order_key AND e.sequence < d.sequence
                                                        AND e.state NOT IN ('delivered', 'set_aside')))
                       AND NOT EXISTS (SELECT 1 FROM pause p
                                        WHERE p.resumed_at IS NULL
                                          AND (p.tenant IS NULL OR p.tenant = d.tenant)
                                          AND (p.connector IS NULL OR p.connector = d.connector)
                                          AND (p.form IS NULL OR p.form = d.form))
                     LIMIT 1000 FOR UPDATE OF d SKIP LOCKED)
                RETURNING id
            """)
        ).scalars()
    )
