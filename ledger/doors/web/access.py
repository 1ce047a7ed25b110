"""Who may open a page: every route of the pages names them with `only`, and a test walks all of them.

    who is signed in? -> may they, here? -> a `Caller` for the verb: exactly what an API key of that scope would be

    nobody is       -> to the sign-in page, and back; a form that was sent is kept on the page that says so
                       where only a till or a kiosk may: that it has to be set up again, for nobody signs in at one
    not theirs      -> 404 where the address names somebody's object, 403 where it is a part of the house
    not sure enough -> roles other than a volunteer's take a passkey or the organisation's sign-in
    too long ago    -> what weighs most (`freshly`) takes one of these within `sign_ins.FRESH`; what was typed is kept

Rights are read anew for every request: whoever leaves is out at once. What changes something (anything but GET) is
heard only from our own pages: the browser says so in `Sec-Fetch-Site`, or an old one in `Origin`; a form on another
site, which would be sent with the reader's cookie, gets 403.

What weighs most is what takes or gives somebody's rights, their way in or their whole account, and the rules of the
scheme (ASVS 5.0, 7.5): nobody shall do it who only found a computer left open. It is asked of those who have a passkey,
or an organisation, to show. A volunteer who erases themselves, or says who helps them, isn't asked, however long ago
they signed in: many have no address and come with a card or a helper, and so have nothing else to show. Erasing is
their right, is to be easy, and harms nobody else; a helper can spend no more than that one person's hours, is named on
their page, and ended there at once.

Somebody who helps another, or a guardian, opens that person's pages as themselves: the verb looks whether they may.

**A browser that is a till or a kiosk stays one**, whoever stands at it: until the device is taken out of use, or a code
of another is typed in (`enrol`), which only whoever looks after a venue or a project, or the office, is told. Nobody
signs in or out at one, by whatever way: such a page (`not_at_devices`) says so before any of it is done. So no link,
code or challenge is used up there, and the device's cookie is left alone; the start page there is the device's own.
Only the demo lets whoever is there become anybody.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID
from weakref import WeakKeyDictionary

from litestar import Request
from litestar.datastructures import Cookie
from litestar.exceptions import NotFoundException, PermissionDeniedException

from ledger.doors.web.forms import Form
from ledger.doors.web.pages import LANGUAGE_COOKIE, Visit
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.roles import Role
from ledger.scheme.sign_ins import Present, SignIns, Strength

PageRequest = Request[Visit, Any, Any]
"""A request that was admitted: `user` is the visit."""

_STRONG: Final = frozenset({Strength.PASSKEY, Strength.ORGANISATION})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_YEAR_SECONDS: Final = 365 * 24 * 3600
# As long as somebody reads four lines with help; whoever comes to a shared computer next isn't told of it.
_FAREWELL_SECONDS: Final = 120


class Who(StrEnum):
    """Who may open a page, in the capacity in which they do."""

    ANYBODY = "anybody"
    PERSON = "person"
    SURELY = "surely"  # the person in the address and nobody for them, by more than a link
    COORDINATOR = "coordinator"  # of the project in the address
    APPROVER = "approver"  # likewise
    MANAGER = "manager"  # of the venue in the address
    STAFF = "staff"
    AUDITOR = "auditor"
    TILL = "till"
    KIOSK = "kiosk"


class SignInNeeded(Exception):  # noqa: N818  # not an error: nobody is signed in
    """The page is for somebody, and nobody is signed in. ``form`` is what was sent, if anything was."""

    def __init__(self, form: Form | None) -> None:
        super().__init__()
        self.form = form


class EnrolmentNeeded(Exception):  # noqa: N818  # likewise
    """The page is a till's or a kiosk's (``kind``), and this browser is none, or is none any more."""

    def __init__(self, kind: Who) -> None:
        super().__init__()
        self.kind = kind


class AtDevice(Exception):  # noqa: N818  # likewise
    """The page is for somebody's own browser, and this one is a till or a kiosk."""


class PasskeyNeeded(Exception):  # noqa: N818  # likewise
    """The page takes a stronger sign-in than the one that there is, or a fresh one (``again``); ``form`` likewise."""

    def __init__(self, form: Form | None, *, again: bool = False) -> None:
        super().__init__()
        self.form = form
        self.again = again


Admit = Callable[[Request[Any, Any, Any]], Awaitable[None]]


class Rule(NamedTuple):
    """Who may, in this order of capacity; whether they have to have signed in just now; and if not at a device."""

    who: tuple[Who, ...]
    freshly: bool
    not_at_devices: bool


ADMITTED: Final[MutableMapping[Admit, Rule]] = WeakKeyDictionary()
"""Who may, by what admits them: for the test that walks all routes."""


class Access:
    """Admits requests to pages by who is signed in.

    ``asks_again`` is off where nobody has a passkey to show, as in a demo: there `freshly` asks for nothing.
    """

    def __init__(self, sign_ins: SignIns, url: str, *, asks_again: bool = True) -> None:
        self._sign_ins = sign_ins
        self._asks_again = asks_again
        self._secure = url.startswith("https:")
        self.enrolment = f"{url}/enrol"
        """Where the code of a till or a kiosk is typed in."""
        self._scheme = "https" if self._secure else "http"
        # The prefix ties a cookie to this very host; browsers take it from https only.
        prefix = "__Host-" if self._secure else ""
        self.cookie = prefix + "sign-in"
        self.browser_cookie = prefix + "browser"
        self.next_cookie = prefix + "next"
        self.turn_cookie = prefix + "turn"
        self.erased_cookie = prefix + "erased"
        self.language_cookie = prefix + LANGUAGE_COOKIE

    def only(self, *who: Who, freshly: bool = False, not_at_devices: bool = False) -> Admit:
        """Return what admits these to a route, in this order of capacity.

        ``freshly``: if they signed in just now; ``not_at_devices``: in a browser that is no till or kiosk.
        """
        assert who, "a page says who may open it"
        assert not (freshly and _WEAK & set(who)), "whoever came by a link may have nothing else to show"
        rule = Rule(who, freshly, not_at_devices)

        async def admit(request: Request[Any, Any, Any]) -> None:
            await self._admit(request, rule)

        ADMITTED[admit] = rule
        return admit

    async def _admit(self, request: Request[Any, Any, Any], rule: Rule) -> None:
        """Make `request.user` the visit of one of these; or raise what keeps them out."""
        if request.method not in _SAFE and not self._is_ours(request):
            raise PermissionDeniedException(detail="This form was sent from another site.")
        present = await self._present(request)
        request.scope["user"] = Visit(present, None)
        if present is None:
            if _DEVICES.issuperset(rule.who):
                raise EnrolmentNeeded(rule.who[0])
            if Who.ANYBODY not in rule.who:
                raise SignInNeeded(await _kept(request))
            return
        if rule.not_at_devices and present.device is not None:
            raise AtDevice
        caller, is_weak = self._caller(request, present, rule.who)
        if is_weak:
            raise PasskeyNeeded(await _kept(request))
        if rule.freshly and self._asks_again and not present.is_fresh:
            raise PasskeyNeeded(await _kept(request), again=True)
        request.scope["user"] = Visit(present, caller)

    def signed_in(self, token: str, *, shared: bool = False) -> Cookie:
        """Return the cookie of a browser that is signed in; it ends when the service says so.

        On a ``shared`` computer it ends with the browser as well; otherwise not by itself.
        """
        return self._made(self.cookie, token, None if shared else _YEAR_SECONDS)

    def signed_out(self) -> Cookie:
        """Return the cookie that takes it away."""
        return self._made(self.cookie, "", 0)

    def browser(self, value: str) -> Cookie:
        """Return the cookie by which a browser is known that asked for a link; it says nothing of anybody."""
        return self._made(self.browser_cookie, value, 24 * 3600)

    def next(self, path: str) -> Cookie:
        """Return the cookie with where they were going when they had to sign in; it is believed in nothing."""
        return self._made(self.next_cookie, path, 3600 if path else 0)

    def turn(self, key: str) -> Cookie:
        """Return the cookie of whose turn it is at a kiosk: the key of the form that the next person will send."""
        return self._made(self.turn_cookie, key, _YEAR_SECONDS)

    def erased(self) -> Cookie:
        """Return the cookie of a browser in which somebody has just been erased, for the page that says so to them."""
        return self._made(self.erased_cookie, "yes", _FAREWELL_SECONDS)

    def language(self, chosen: str) -> Cookie:
        """Return the cookie of the language that was chosen here."""
        return self._made(self.language_cookie, chosen, _YEAR_SECONDS)

    def _made(self, name: str, value: str, seconds: int | None) -> Cookie:
        return Cookie(
            key=name, value=value, path="/", max_age=seconds, secure=self._secure, httponly=True, samesite="lax"
        )

    async def _present(self, request: Request[Any, Any, Any]) -> Present | None:
        token = request.cookies.get(self.cookie, "")
        # A page's script, and not somebody who goes to a page.
        by_itself = request.headers.get("sec-fetch-dest") == "empty"
        return await self._sign_ins.who(token, by_itself=by_itself) if token else None

    def _is_ours(self, request: Request[Any, Any, Any]) -> bool:
        """Whether a page of ours sent this."""
        site = request.headers.get("sec-fetch-site")
        if site is not None:
            return site == "same-origin"
        return request.headers.get("origin") == f"{self._scheme}://{request.headers.get('host')}"

    def _caller(
        self, request: Request[Any, Any, Any], present: Present, who: tuple[Who, ...]
    ) -> tuple[Caller | None, bool]:
        """As whom they act here; or that they would, had they signed in with more than a link."""
        weak = False
        for capacity in who:
            caller = _as(capacity, present, request.path_params)
            if caller is None:
                continue
            if capacity in _WEAK or is_strong(present):
                return caller, False
            weak = True
        if weak or Who.ANYBODY in who:
            return None, weak and Who.ANYBODY not in who
        if request.path_params:
            raise NotFoundException
        raise PermissionDeniedException(
            detail="This part is for others. If you think it should be open to you, ask us."
        )


def start_of(present: Present | None) -> str | None:
    """The page where somebody, a till or a kiosk begins; nobody's is the public one."""
    if present is None:
        return None
    if present.device is not None:
        return "/kiosk" if present.venue is None else "/till"
    return f"/people/{present.person}"


def is_strong(present: Present) -> bool:
    """Whether they signed in with more than a link: with what roles other than a volunteer's take."""
    return present.strength in _STRONG


# What a link by mail, or a device, is enough for.
_WEAK: Final = frozenset({Who.ANYBODY, Who.PERSON, Who.TILL, Who.KIOSK})


# That it was a device is told by the page, which nobody else can open. Of the browser nothing is known: a revoked
# device's cookie counts as none, one that was cleared isn't there, and a tablet may be somebody's own by now.
_DEVICES: Final = frozenset({Who.TILL, Who.KIOSK})


def _as(who: Who, present: Present, address: dict[str, Any]) -> Caller | None:
    """Whom they act as in that capacity; None if it isn't theirs here."""
    here: UUID | None = None
    scope: Scope | None = None
    match who:
        case Who.PERSON:
            scope = Scope.PERSON if present.holder is not None else None
        case Who.SURELY:
            scope = Scope.PERSON if present.person is not None and present.person == address.get("person") else None
        case Who.COORDINATOR | Who.APPROVER:
            here = address.get("project")
            scope = Scope.PROJECT if _holds(present, Role(who.value), here) else None
        case Who.MANAGER:
            here = address.get("venue")
            scope = Scope.VENUE if _holds(present, Role.MANAGER, here) else None
        case Who.STAFF:
            scope = Scope.SCHEME if _holds(present, Role.STAFF, None) else None
        case Who.AUDITOR:
            scope = Scope.AUDITOR if _holds(present, Role.AUDITOR, None) else None
        case Who.TILL:
            here, scope = present.venue, Scope.VENUE if present.device and present.venue else None
        case Who.KIOSK:
            here, scope = present.project, Scope.PROJECT if present.device and present.project else None
        case Who.ANYBODY:
            pass
    if scope is None:
        return None
    return Caller(
        key=present.sign_in,
        scope=scope,
        object=here,
        holder=present.holder,
        device=present.device,
        site=present.site,
        locked_until=present.locked_until,
    )


def _holds(present: Present, role: Role, place: UUID | None) -> bool:
    return any(held.role is role and (held.project or held.venue) == place for held in present.roles)


async def _kept(request: Request[Any, Any, Any]) -> Form | None:
    """What was sent, if anything was, with its key or without: it may have been long."""
    return None if request.method in _SAFE else await Form.sent(request, keyed=False)
