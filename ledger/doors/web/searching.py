"""What finding something to do and finding somewhere to spend have in common: what is asked, and a page of the answer.

What is looked for stands in the address, so a search can be kept, sent to somebody and gone back to. The frame of its
page is `public/search.html`.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from litestar import Response
from msgspec import Meta, Struct

from ledger.doors.fields import NEAR_PATTERN
from ledger.doors.web.access import PageRequest
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import page

# Without a bound of its own: the pattern has one, and says what is wanted.
Near = Annotated[str, Meta(pattern=NEAR_PATTERN)]
Words = Annotated[str, Meta(max_length=60)]

# What a phone shows in five screens.
SHOWN: Final = 12


def found_page(  # noqa: PLR0917  # each has its own type
    request: PageRequest,
    template: str,
    search: type[Struct],
    form: Form,
    found: Sequence[object],
    more: str | None,
    **context: Any,  # noqa: ANN401  # as `page` takes it
) -> Response[bytes]:
    """Return the page of a search with what was found; ``more`` is the cursor behind it, if there is more."""
    return page(
        request,
        template,
        status=form.status,
        public=True,
        form=form,
        found=found,
        more=more and form.query(search, after=more),
        query=form.query(search),
        is_filtered=any(form.value(name) for name in search.__struct_fields__ if name != "near"),
        **context,
    )
