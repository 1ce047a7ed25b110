"""Receipts: the proof of one line of somebody's statement, to keep; and a page where anybody checks one.

Somebody opens only the receipts of their own lines. Whoever has been given one, on paper or by mail, needs no account
to check it: the text is pasted and posted, so it stands in no address and no log, and nothing of it is kept. What the
page answers rests on the service's own key; who doubts the service too checks it with the published program and a key
that they wrote down before.
"""

from typing import Annotated, Any, Final, NamedTuple
from uuid import UUID

from litestar import MediaType, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.lines import why
from ledger.doors.web.pages import _, gettext, page
from ledger.journal import leaf
from ledger.journal.checkpoint import Checkpoint, ProofError, Verifier
from ledger.journal.entries import Posted
from ledger.journal.receipt import RECEIPT_CHARS_MAX, Receipt
from ledger.scheme.receipts import Receipts

_INCOMPLETE: Final = _("This is not a whole receipt. Please copy all of it, from its first line to its last.")


class Pasted(Struct, frozen=True):
    """What is to be checked."""

    receipt: Annotated[str, Meta(min_length=1, max_length=RECEIPT_CHARS_MAX)]


class Answer(NamedTuple):
    """Whether a receipt is true: what it proves, or what is wrong."""

    entry: Posted | None = None
    checkpoint: Checkpoint | None = None
    fault: str = ""


def routes(access: Access, receipts: Receipts, verifier: str) -> list[HTTPRouteHandler]:
    """Return the routes of receipts; ``verifier`` is the key that the log is signed with."""
    trusted = Verifier.parse(verifier)

    @get("/people/{person:uuid}/receipts/{entry:uuid}", before_request=access.only(Who.PERSON))
    async def read(request: PageRequest, person: FromPath[UUID], entry: FromPath[UUID]) -> Response[Any]:
        found = await receipts.of(request.user.caller, person, entry)
        return page(
            request,
            "receipts/receipt.html",
            person=person,
            line=found.line,
            why=why(found.line, gettext(request)),
            position=found.position,
            is_anothers_too=found.is_anothers_too,
            text=found.text,
            form=Form.blank(),
        )

    @get("/people/{person:uuid}/receipts/{entry:uuid}/file", before_request=access.only(Who.PERSON))
    async def file(request: PageRequest, person: FromPath[UUID], entry: FromPath[UUID]) -> Response[bytes]:
        await receipts.of(request.user.caller, person, entry)
        text = await receipts.text(request.user.caller, entry)
        # Plain text, for whoever keeps it opens it and copies it; programs don't look at the name.
        return Response(
            text.encode(),
            media_type=MediaType.TEXT,
            headers={
                "cache-control": "no-store",
                "content-disposition": f'attachment; filename="receipt-{entry}.txt"',
            },
        )

    @get("/verify", before_request=access.only(Who.ANYBODY))
    async def ask(request: PageRequest) -> Response[Any]:
        return page(request, "receipts/verify.html", public=True, form=Form.blank(), answer=None)

    @post("/verify", before_request=access.only(Who.ANYBODY), status_code=200)
    async def check(request: PageRequest) -> Response[Any]:
        form = await Form.sent(request)
        pasted = form.take(Pasted)
        answer = None
        if pasted is not None:
            answer = checked(pasted.receipt, trusted)
            if answer is None:
                form.fault("receipt", gettext(request)(_INCOMPLETE))
        return page(request, "receipts/verify.html", public=True, status=form.status, form=form, answer=answer)

    return [read, file, ask, check]


def checked(text: str, trusted: Verifier) -> Answer | None:
    """What the receipt proves, or what is wrong with it; None if it can't be read as one."""
    try:
        # Its last line break is part of it, and the first thing that is lost when a text is copied.
        receipt = Receipt.parse(text.strip() + "\n")
    except ProofError:
        return None
    try:
        checkpoint = receipt.verify(trusted)
        entry, *_rest = leaf.decode(receipt.leaf)
    except (ProofError, leaf.LeafError) as error:
        return Answer(fault=str(error))
    return Answer(entry=entry, checkpoint=checkpoint)
