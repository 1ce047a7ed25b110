"""Tidings: which event is worth a letter to whom, how much it matters, and what the letter says; or why there is none.

A letter says where and when, and to look at one's own page for the rest: no figures, nobody's name but the reader's, of
a project its neutral alias, and no blame. A mailbox may be looked into by others.
"""

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

from ledger.scheme.outbox import Topic


class To(Enum):
    """Whom an event concerns."""

    HOLDER = auto()
    """Whose it is."""
    GUARDIANS = auto()
    """The guardians of the child whose it is."""
    DECIDERS = auto()
    """The project's coordinators and approvers, but for whose it is."""
    STAFF = auto()


class Weight(Enum):
    """How much it matters to hear of it."""

    SAFETY = auto()
    """Who can sign in as them, or act for them: whatever they prefer, and at any hour."""
    NEEDED = auto()
    """What they have to know, or to do."""
    WELCOME = auto()
    """What is good to hear."""


class Letter(NamedTuple):
    """What is written: {name}, {where} (the alias), {venue}, {when} and {day} are filled in."""

    weight: Weight
    subject: str
    paragraphs: Sequence[str]
    to: To = To.HOLDER


def _(sentence: str) -> str:
    """Mark a sentence for the catalogue; it is looked up when it is written."""
    return sentence


HELLO, THANKS = _("Hello {name},"), _("With thanks,\nTime Credits\n")
# In every letter that a preference can stop.
CHOOSE = _("You choose how much we write: sign in and open “How you would like it”.")
_LOOK = _("To see it, sign in to Time Credits. It stands on your page.")
_ASK = _("If this is a surprise, please tell the office.")
_SIGN_IN = _("The way you sign in to Time Credits has changed")
_HOURS = _("About the hours that you gave")
_GIFT = _("About a gift of credits")
_CANCELLED = _("Something that you planned is cancelled")
_BACK = _("The credits for it are back where they came from. All that you booked stands on your page of bookings.")


def _card(happened: str) -> Letter:
    """What is written of somebody's card or pass; which of the two, they see on their page."""
    return Letter(
        Weight.SAFETY,
        _("Your card or pass has changed"),
        (happened, _("Your credits are safe. To see it, sign in to Time Credits and look at your pass."), _ASK),
    )


_PAGE: Final = "who did it saw what came of it, and it stands on their page"
_OFFICE: Final = "the office's page shows it"

TABLE: Final[Mapping[Topic, Letter | str]] = {
    # --- hours
    Topic.AWARDED: Letter(
        Weight.WELCOME,
        _HOURS,
        (_("The hours that you gave at {where} on {day} are approved. Thank you for each of them."), _LOOK),
    ),
    Topic.AWARD_WAITS_FOR_CONSENT: Letter(
        Weight.NEEDED,
        _("Somebody waits for you to agree"),
        (
            _("A child in your care gave hours at {where}. The credits wait until a guardian agrees."),
            _("To say yes or no, sign in to Time Credits and open Helping. Nothing is lost meanwhile."),
        ),
        To.GUARDIANS,
    ),
    Topic.CLAIM_SUBMITTED: "who sent them knows, and the project's list of approvals shows them",
    Topic.CLAIM_QUERIED: Letter(
        Weight.NEEDED,
        _HOURS,
        (
            _("The hours that you gave at {where} on {day} need another look before they are approved."),
            _("To see why, and to answer if there is a question, sign in to Time Credits and open your hours."),
        ),
    ),
    Topic.CLAIM_REJECTED: Letter(
        Weight.NEEDED,
        _HOURS,
        (
            _("The hours at {where} on {day} are not approved this time."),
            _("To read why, sign in to Time Credits and open your hours. If you see it another way, do say so."),
        ),
    ),
    Topic.SECOND_APPROVAL_NEEDED: Letter(
        Weight.NEEDED,
        _("Hours wait for a second person"),
        (
            _("At {where} there are hours that a second person has to look at."),
            _("If that can be you, sign in to Time Credits and open the approvals."),
        ),
        To.DECIDERS,
    ),
    Topic.CORRECTED: Letter(
        Weight.NEEDED,
        _HOURS,
        (
            _("The hours that you gave at {where} on {day} were put right."),
            _("To see what they are now, and why, sign in to Time Credits and open your hours. You never owe credits."),
        ),
    ),
    Topic.WEEK_ABOVE_NOTE: Letter(
        Weight.WELCOME,
        _("Somebody gave very many hours"),
        (
            _("Somebody who helps at {where} gave very many hours within a week."),
            _("Nothing is stopped. Perhaps the project can ask how they are, and thank them."),
        ),
        To.STAFF,
    ),
    Topic.ALLOCATION_LOW: Letter(
        Weight.NEEDED,
        _("A project has few credits left to give"),
        (_("{where} has few credits left of those that its funder pays for."), _("Nothing is stopped when they end.")),
        To.STAFF,
    ),
    Topic.ALLOCATION_OVERRUN: Letter(
        Weight.NEEDED,
        _("A project gave more than its funder pays for"),
        (
            _("{where} has given more credits than its funder pays for."),
            _("Everybody got their thank-you. Please look at it together with the project."),
        ),
        To.STAFF,
    ),
    Topic.ATTENDANCE_AUTO_CLOSED: "nothing is asked of them: their hours stand on their page until somebody has looked",
    Topic.SESSION_CANCELLED: Letter(
        Weight.NEEDED,
        _CANCELLED,
        (
            _("You were expected at {where}: {when}. That is cancelled. We are sorry."),
            _("You need do nothing. Other days stay as they are."),
        ),
    ),
    # --- consent, helpers, roles
    Topic.CONSENT_GIVEN: _PAGE,
    Topic.CONSENT_WITHDRAWN: _PAGE,
    Topic.CONSENT_LAPSED: Letter(
        Weight.NEEDED,
        _("Somebody waits for you to agree"),
        (
            _("You agreed that a child in your care gives hours. The time for which you agreed is over."),
            _("To agree again, sign in to Time Credits and open Helping. Nothing is lost meanwhile."),
        ),
        To.GUARDIANS,
    ),
    Topic.HELPER_ADDED: Letter(
        Weight.SAFETY,
        _("Who can act for you has changed"),
        (
            _("Somebody can now act for you in Time Credits."),
            _("To see who, and what they may do, or to end it at once, sign in to Time Credits and open Helping."),
            _ASK,
        ),
    ),
    Topic.HELPER_ENDED: Letter(
        Weight.SAFETY,
        _("Who can act for you has changed"),
        (_("Somebody who could act for you in Time Credits can do so no longer."), _ASK),
    ),
    Topic.ROLE_GRANTED: Letter(
        Weight.SAFETY,
        _("What you look after in Time Credits has changed"),
        (_("You look after something new in Time Credits. It stands on your page when you sign in."), _ASK),
    ),
    Topic.ROLE_ENDED: Letter(
        Weight.SAFETY,
        _("What you look after in Time Credits has changed"),
        (_("Something that you looked after in Time Credits is in other hands now. Thank you for all of it."), _ASK),
    ),
    Topic.LEFT: Letter(
        Weight.SAFETY,
        _SIGN_IN,
        (_("You are signed out everywhere, and what you looked after in Time Credits is in other hands."), _ASK),
    ),
    # --- paper, and what was brought along
    Topic.VOUCHER_CLAIMED: _PAGE,
    Topic.VOUCHERS_PRINTED: "the page of what was printed shows it",
    Topic.VOUCHERS_RETURNED: "the page of what was printed shows it",
    Topic.NOTES_TAKEN: "handed in by themselves",
    Topic.BALANCE_OPENED: "the office welcomes them, and it is the first line of their statement",
    # --- gifts
    Topic.GIFT_OFFERED: Letter(
        Weight.NEEDED,
        _GIFT,
        (
            _("Somebody would like to give you credits."),
            _("To accept them, or to send them back with thanks, sign in to Time Credits and open your gifts."),
        ),
    ),
    Topic.GIFT_ACCEPTED: Letter(Weight.WELCOME, _GIFT, (_("Your gift of credits was accepted. How kind of you."),)),
    Topic.GIFT_DECLINED: Letter(
        Weight.WELCOME,
        _GIFT,
        (_("Your gift of credits came back with thanks, and the credits are yours again. It was kind of you."),),
    ),
    Topic.GIFT_TAKEN_BACK: "it leaves their page, and nothing is asked of them",
    Topic.GIFT_LAPSED: Letter(
        Weight.WELCOME,
        _GIFT,
        (_("Your gift of credits was not opened in time, so the credits are yours again. It was kind of you."),),
    ),
    # --- visits
    Topic.OCCASION_CANCELLED: "whoever had booked it hears of their own booking",
    Topic.BOOKING_UNDONE: Letter(
        Weight.NEEDED,
        _CANCELLED,
        (_("Your visit to {venue} cannot take place: {when}. We are sorry."), _BACK),
    ),
    Topic.BOOKING_CANCELLED: Letter(
        Weight.NEEDED, _CANCELLED, (_("Your visit to {venue} is cancelled: {when}."), _BACK, _ASK)
    ),
    Topic.HOLD_LAPSED: "the credits are back, and nobody is told off",
    Topic.BOOKED: _PAGE,
    Topic.BOOKING_CHANGED: _PAGE,
    # --- pots
    Topic.POT_GIVEN_TO: "the pot's page shows it to who keeps it",
    Topic.POT_GAVE: Letter(
        Weight.WELCOME, _("Credits were added for you"), (_("Some credits were added for you to enjoy."), _LOOK)
    ),
    Topic.POT_SPEND_PROPOSED: Letter(
        Weight.NEEDED,
        _("Your group waits for your yes or no"),
        (
            _("Somebody who keeps your group's pot with you would like to book something with its credits."),
            _("To say yes or no, sign in to Time Credits and open your group's pot."),
        ),
    ),
    Topic.POT_SPEND_AGREED: Letter(
        Weight.WELCOME,
        _("About your group's pot"),
        (_("What you proposed is booked, and your group's pot pays."), _LOOK),
    ),
    Topic.POT_SPEND_DECLINED: Letter(
        Weight.WELCOME,
        _("About your group's pot"),
        (_("What you proposed is not booked for now, and the credits stay in your group's pot."), _LOOK),
    ),
    Topic.KEYHOLDER_PROPOSED: "who can be written to is (`keyholder_news`); the group's page shows it to the others",
    Topic.KEYHOLDER_CHANGED: "likewise",
    # --- credits that end
    Topic.CREDITS_ENDING: Letter(
        Weight.NEEDED,
        _("Some of your credits end soon"),
        (
            _("Some of your credits can be spent until {day}."),
            _("To see which, and to find something to enjoy, sign in to Time Credits."),
        ),
    ),
    Topic.CREDITS_EXPIRED: Letter(
        Weight.NEEDED,
        _("Some of your credits have ended"),
        (_("Some of your credits have ended. If you would like them back, ask the office until {day}."), _LOOK),
    ),
    Topic.CREDITS_REINSTATED: Letter(
        Weight.WELCOME, _("Your credits are back"), (_("The credits that had ended are back, as you asked."), _LOOK)
    ),
    Topic.CONTACT_REMOVED: "there is no address any more",
    # --- cards, and ways to sign in
    Topic.CREDENTIAL_ISSUED: _PAGE,
    Topic.CREDENTIAL_REPLACED: _card(_("Your card or phone pass was replaced. The old one does not work any more.")),
    Topic.CREDENTIAL_BLOCKED: _card(_("Your card or phone pass was stopped. Nobody can use it for now.")),
    Topic.CREDENTIAL_UNBLOCKED: _card(_("Your card or phone pass was stopped before. It works again.")),
    Topic.CREDENTIAL_REVOKED: _card(_("Your card or phone pass has ended. Nobody can use it any more.")),
    Topic.WRONG_CODES: _OFFICE,
    Topic.PASSKEY_ADDED: Letter(
        Weight.SAFETY, _SIGN_IN, (_("There is a new passkey with which you can sign in to Time Credits."), _ASK)
    ),
    Topic.PASSKEY_ENDED: Letter(
        Weight.SAFETY, _SIGN_IN, (_("A passkey of yours does not open Time Credits any more."), _ASK)
    ),
    Topic.RECOVERY_ASKED: Letter(
        Weight.SAFETY,
        _("A new way for you to sign in was asked for"),
        (
            _("The office was asked for a new way for you to sign in. Two of them have to agree to it."),
            _("If you did not ask for it, please tell the office at once."),
        ),
    ),
    Topic.RECOVERY_AGREED: Letter(
        Weight.SAFETY,
        _SIGN_IN,
        (
            _("Two people in the office agreed to a new way for you to sign in. Your old passkeys have ended."),
            _("If you did not ask for it, please tell the office at once."),
        ),
    ),
    Topic.RECOVERY_DECLINED: Letter(
        Weight.SAFETY,
        _("A new way for you to sign in was asked for"),
        (_("The office was asked for a new way for you to sign in, and did not agree to it."), _ASK),
    ),
    Topic.ORGANISATION_VOUCHED: Letter(
        Weight.SAFETY, _SIGN_IN, (_("You can now sign in to Time Credits as you do at work."), _ASK)
    ),
}
