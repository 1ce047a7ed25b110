"""What was done, in plain words: a sentence for every verb of the audit trail.

For the person whom it concerns, and for the auditor. It has no subject: who did it stands beside it.
"""

from collections.abc import Mapping
from typing import Final

from ledger.doors.web.pages import _
from ledger.scheme.acts import Act
from ledger.scheme.callers import Scope

LOOKS: Final[Mapping[str, str]] = {
    "balance_read": _("Looked at how many credits there are"),
    "statement_read": _("Looked at the statement"),
    "home_read": _("Opened the home page"),
    "person_read": _("Opened somebody's page at the desk"),
    "claims_read": _("Looked at the hours"),
    "bookings_read": _("Looked at the bookings"),
    "gifts_read": _("Looked at the gifts"),
    "endings_read": _("Looked at which credits end when"),
    "eligibility_read": _("Looked at permissions"),
    "contact_read": _("Looked at address, phone or email"),
    "copy_read": _("Read a copy of everything"),
    "card_code_read": _("Opened a card to print it"),
    "codes_read": _("Opened voucher codes to print them"),
    "pass_shown": _("Showed the phone pass"),
    "people_of_sensitive_project": _("Looked at who helps at a project"),
}
"""Those that are but a look."""

SAYS: Final[Mapping[str, str]] = {
    **LOOKS,
    # The person
    "person_added": _("Made an account"),
    "person_changed": _("Changed name, age or contact"),
    "person_erased": _("Erased an account"),
    "preferences_changed": _("Changed the preferences"),
    "eligibility_given": _("Gave a permission"),
    "eligibility_withdrawn": _("Took back a permission"),
    "helper_added": _("Added a helper"),
    "helper_ended": _("Ended a helper"),
    "guardian_added": _("Added a guardian"),
    "guardian_ended": _("Ended a guardian"),
    "consent_given": _("Gave consent for a child"),
    "consent_withdrawn": _("Took back consent for a child"),
    "group_added": _("Added a group"),
    "group_joined": _("Put into a group"),
    "keyholder_proposed": _("Proposed to change who keeps a group's keys"),
    "keyholder_declined": _("Said no to changing who keeps a group's keys"),
    "keyholder_changed": _("Changed who keeps a group's keys"),
    "group_left": _("Took out of a group"),
    # Ways in
    "staff_asked": _("Asked that they become staff"),
    "role_granted": _("Gave a role"),
    "role_ended": _("Ended a role"),
    "left": _("Ended all roles and sign-ins"),
    "key_made": _("Made a key for a program"),
    "key_revoked": _("Ended a key of a program"),
    "passkey_added": _("Added a passkey"),
    "passkey_ended": _("Ended a passkey"),
    "passkey_invited": _("Invited to add a passkey"),
    "recovery_asked": _("Asked for a new passkey"),
    "recovery_agreed": _("Agreed to a new passkey"),
    "recovery_declined": _("Said no to a new passkey"),
    "signed_out_everywhere": _("Signed this person out everywhere"),
    "organisation_vouched": _("Linked an account at an organisation"),
    # Cards and passes
    "credential_issued": _("Made a card or pass"),
    "credential_replaced": _("Replaced a card or pass"),
    "credential_blocked": _("Stopped a card or pass"),
    "credential_unblocked": _("Let a card or pass work again"),
    "credential_revoked": _("Ended a card or pass"),
    # Hours
    "claim": _("Told hours"),
    "change_claim": _("Changed hours before they were sent"),
    "submit_claim": _("Sent hours"),
    "withdraw_claim": _("Took hours back"),
    "claim_voucher": _("Used a slip or voucher"),
    "claim_submitted": _("Hours were sent"),
    "claim_queried": _("Asked about hours"),
    "second_approval_needed": _("Asked somebody else to look at hours too"),
    "claim_rejected": _("Said no to hours"),
    "awarded": _("Hours became credits"),
    "hours_approved": _("Approved hours"),
    "hours_corrected": _("Put hours right"),
    "register_recorded": _("Recorded a register"),
    "checked_in": _("Signed in at a session"),
    "checked_out": _("Signed out of a session"),
    "marked_absent": _("Marked as not there at a session"),
    "sessions_planned": _("Planned sessions"),
    "session_cancelled": _("Cancelled a session"),
    # Visits
    "book": _("Booked"),
    "change_booking": _("Changed a booking"),
    "cancel_booking": _("Cancelled a booking"),
    "visit_taken": _("Took what was on hold for a visit"),
    "visit_called_off": _("Gave back what was on hold for a visit"),
    "visit_refunded": _("Gave a visit back"),
    # Credits
    "gift_offered": _("Offered a gift"),
    "gift_accepted": _("Accepted a gift"),
    "gift_declined": _("Declined a gift"),
    "gift_taken_back": _("Took a gift back"),
    "gave_to_pot": _("Gave credits to a pot"),
    "community_gave": _("Gave credits from the community pot"),
    "pot_spend_proposed": _("Asked to spend from a group's pot"),
    "pot_spend_agreed": _("Agreed to spend from a group's pot"),
    "pot_spend_declined": _("Said no to spending from a group's pot"),
    "notes_taken": _("Took in paper notes"),
    "balances_opened": _("Took over balances from before"),
    "credits_reinstated": _("Brought ended credits back"),
    "vouchers_printed": _("Printed vouchers"),
    "vouchers_ended": _("Ended vouchers"),
    "allocation_granted": _("Gave a project credits to give"),
    "rules_changed": _("Changed the rules"),
    # Places
    "project_added": _("Added a project"),
    "project_changed": _("Changed a project"),
    "project_active": _("Opened a project"),
    "project_suspended": _("Paused a project"),
    "project_ended": _("Ended a project"),
    "opportunity_added": _("Added something to do"),
    "opportunity_changed": _("Changed something to do"),
    "opportunity_published": _("Published something to do"),
    "opportunity_paused": _("Paused something to do"),
    "opportunity_ended": _("Ended something to do"),
    "venue_added": _("Added a venue"),
    "venue_changed": _("Changed a venue"),
    "venue_active": _("Opened a venue"),
    "venue_suspended": _("Paused a venue"),
    "venue_ended": _("Ended a venue"),
    "site_added": _("Added a place of a venue"),
    "site_changed": _("Changed a place of a venue"),
    "site_closed": _("Closed a place of a venue"),
    "offer_added": _("Added an offer"),
    "offer_changed": _("Changed an offer"),
    "offer_published": _("Published an offer"),
    "offer_paused": _("Paused an offer"),
    "offer_ended": _("Ended an offer"),
    "occasions_added": _("Added dates of an offer"),
    "occasion_changed": _("Changed a date of an offer"),
    "occasion_cancelled": _("Cancelled a date of an offer"),
    "device_added": _("Added a till or kiosk"),
    "device_changed": _("Changed a till or kiosk"),
    "device_revoked": _("Ended a till or kiosk"),
}
# What is done by a verb that nobody gave words yet; a test sees that there is none.
OTHER: Final = _("Did something else")

BY: Final[Mapping[Scope, str]] = {
    Scope.PERSON: _("Somebody who helps"),
    Scope.PROJECT: _("A project"),
    Scope.VENUE: _("A venue"),
    Scope.SCHEME: _("Our staff"),
    Scope.AUDITOR: _("The auditor"),
}
"""Who did it, as the person whom it concerns is told: in what capacity, and not by name."""
# What a kiosk does it does for whoever shows a card there: most often the person themselves.
AT_KIOSK: Final = _("Your card, shown at a kiosk")
AT_KIOSK_TO_OTHERS: Final = _("Their card, shown at a kiosk")


def as_what(act: Act, *, own: bool = False) -> str:
    """In what capacity it was done, to be translated; ``own``: as the person whom it concerns is told."""
    if act.device is not None and act.scope is Scope.PROJECT:
        return AT_KIOSK if own else AT_KIOSK_TO_OTHERS
    return BY[act.scope]
