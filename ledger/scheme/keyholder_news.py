"""Telling whom a change of keyholder concerns: whoever it is about, and those who keep the pot with them.

    proposed, or done -> a letter to each who can be written to (``letters``), an event for each other (``outbox``)

Everybody but whoever did it just then is told, in the transaction that made it so: nobody loses the keys, or gets
somebody beside them, without hearing of it while it can still be declined.

A letter names nobody but its reader, and no group, for a mailbox may be looked into by others: who it is about stands
on the group's page, which keyholders can read. It is for safety, so it goes out at once and whatever they prefer; but
an address that staff know not to be safe gets nothing. What bounds it: the group's keyholders; nobody wants such a
letter after `WAITS_FOR`.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.scheme import letters, outbox
from ledger.scheme.letters import Say, Words
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.pot_spends import WAITS_FOR


class News(Struct, frozen=True, kw_only=True):
    """That somebody becomes a keyholder of a group, or none any more: it is ``done``, or was proposed."""

    group: UUID
    holder: UUID
    keyholder: bool
    done: bool


async def tell(raw: asyncpg.Connection, say: Say, news: News, by: UUID, now: datetime) -> None:
    """Tell whom it concerns, but for ``by``. The caller has locked the keyholders, and then the group."""
    waiting = []
    for row in await raw.fetch(_CONCERNED, news.group, news.holder, by):
        if row["email"] is None:
            topic = Topic.KEYHOLDER_CHANGED if news.done else Topic.KEYHOLDER_PROPOSED
            body = {"keyholder": int(news.keyholder)}
            waiting.append(Event(topic=topic, holder=row["holder"], object=news.group, body=body))
        else:
            own = row["holder"] == news.holder
            words = letter(partial(say, row["language"]), news, row["name"], own=own)
            await letters.write(raw, row["holder"], row["email"], words, now + WAITS_FOR, now)
    await outbox.put(raw, waiting, now)


def letter(_: Callable[[str], str], news: News, name: str, *, own: bool) -> Words:
    """What somebody is written; ``own``: it is about themselves."""
    waits = _(
        "It is so once a second person agrees: somebody else who keeps the pot, or the office. They have {days} days."
    )
    look = _("To see who it is, sign in to Time Credits and open your group's pot.")
    decide = _("To see who it is, and to say yes or no, sign in to Time Credits and open your group's pot.")
    told = {
        # done, becomes one, it is about them
        (False, True, True): (
            _("It was proposed that you help to keep your group's pot: to decide what its credits are spent on."),
            waits,
            _("You need do nothing. If you would rather not, please tell the office."),
        ),
        (False, False, True): (
            _("It was proposed that you no longer keep your group's pot."),
            waits,
            _("If that is not right, say so: sign in to Time Credits and open your group's pot, or ask the office."),
        ),
        (False, True, False): (
            _("It was proposed that somebody else keeps your group's pot with you."),
            waits,
            decide,
        ),
        (False, False, False): (
            _("It was proposed that somebody no longer keeps your group's pot with you."),
            waits,
            decide,
        ),
        (True, True, True): (
            _("You now help to keep your group's pot: you decide, with others, what its credits are spent on."),
            _("To look into it, sign in to Time Credits. If you would rather not do this, please tell the office."),
        ),
        (True, False, True): (
            _("You no longer keep your group's pot. Thank you for all that you did."),
            _("If this is a surprise, please ask the office."),
        ),
        (True, True, False): (
            _("Somebody else now keeps your group's pot with you."),
            look,
            _("If this is a surprise, please ask the office."),
        ),
        (True, False, False): (
            _("Somebody no longer keeps your group's pot with you."),
            look,
            _("If this is a surprise, please ask the office."),
        ),
    }
    paragraphs = (_("Hello {name},"), *told[news.done, news.keyholder, own], _("With thanks,\nTime Credits\n"))
    body = "\n\n".join(paragraphs).format(name=name, days=WAITS_FOR.days)
    subject = _("Who keeps your group's pot has changed") if news.done else _("Who keeps your group's pot may change")
    return Words(subject, body)


# In the order of holders' locks: whoever became one since they were locked is locked here, and nobody is written to
# behind their erasure.
_CONCERNED = """
SELECT h.id AS holder, p.name, CASE WHEN c.safe IS NOT FALSE THEN c.email END AS email,
    coalesce(f.language, 'en') AS language
FROM scheme.holder h
JOIN scheme.person p ON p.id = h.person
LEFT JOIN scheme.contact c ON c.person = p.id
LEFT JOIN scheme.preference f ON f.person = p.id
WHERE h.id <> $3 AND h.id = ANY(ARRAY(
    SELECT k.id FROM scheme.membership m JOIN scheme.holder k ON k.person = m.person
    WHERE m."group" = $1 AND m.keyholder
    UNION SELECT $2
))
ORDER BY h.id
FOR SHARE OF h
"""
