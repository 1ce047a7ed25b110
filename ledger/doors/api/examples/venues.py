"""Examples of venues with their sites, offers and occasions, and of who is eligible for what."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ledger.doors.api.eligibility import EligibleInput, EligibleList
from ledger.doors.api.occasions import Added, OccasionChange, OccasionInput, OccasionPage, OccasionsInput
from ledger.doors.api.offers import FoundPage, OfferChange, OfferInput, OfferPage
from ledger.doors.api.venues import SiteChange, SiteInput, SitePage, VenueChange, VenueInput, VenuePage
from ledger.scheme.eligibility import Eligible
from ledger.scheme.finding import Found, Where
from ledger.scheme.occasions import Occasion
from ledger.scheme.offers import Offer, Quota
from ledger.scheme.sites import Site
from ledger.scheme.terms import Terms
from ledger.scheme.venues import Venue
from ledger.scheme.windows import Window

_VENUE: Final = "c3a9d7e5-2f41-4b6c-9d8e-3f4a5b6c7d04"
_SITE: Final = "4f5a6b7c-8d9e-4f0a-9b1c-2d3e4f5a6b16"
_OFFER: Final = "7e6d5c4b-3a29-4187-b6a5-4c3d2e1f0a05"
_PLAY: Final = "8f7e6d5c-4b3a-4291-87b6-a54c3d2e1f17"
_THEN: Final = "2026-11-14T15:02:11.204518Z"

_venue: Final = {"id": _VENUE, "name": "Parkside pool", "status": "active", "created_at": _THEN}
_place: Final = {
    "name": "Parkside",
    "address": "Gonville Place, Cambridge",
    "postcode": "CB1 1LY",
    "latitude": None,
    "longitude": None,
    "step_free": True,
}
_site: Final = {"id": _SITE, "venue": _VENUE, **_place, "created_at": _THEN, "closed_at": None}
_evenings: Final = {"days": ["mon", "tue", "wed", "thu", "fri"], "opens": "19:00", "closes": "21:30"}
_quiet: Final = {"days": ["sun"], "opens": "08:00", "closes": "10:00"}
_terms: Final = {
    "windows": [_evenings, {"days": ["sat", "sun"], "opens": "08:00", "closes": "18:00"}],
    "closed": ["2026-12-25", "2026-12-26"],
    "quiet": [_quiet],
    "quota": 40,
    "low_talk": True,
    "visit_minutes": 240,
    "companion_free": True,
}
_details: Final = {
    "title": "A swim",
    "price": 60,
    "site": None,
    "kind": "drop_in",
    "reach": "local",
    "description": "An hour in the big pool.",
    "expect": "The desk is on the left. Show your card; nobody asks anything else. On Sunday mornings it is quiet.",
    "terms": _terms,
}
_offer: Final = {
    "id": _OFFER,
    "venue": _VENUE,
    **_details,
    "status": "published",
    "created_at": _THEN,
    "changed_at": _THEN,
}
_where: Final = {
    "id": _SITE,
    "name": "Parkside",
    "address": "Gonville Place, Cambridge",
    "postcode": "CB1 1LY",
    "step_free": True,
    "km": 2,
}
_found: Final = {
    "id": _OFFER,
    "venue": _VENUE,
    "venue_name": "Parkside pool",
    "title": "A swim",
    "kind": "drop_in",
    "reach": "local",
    "description": _details["description"],
    "expect": _details["expect"],
    "price": 60,
    "companion_free": True,
    "low_talk": True,
    "booking_needed": False,
    "requires": [],
    "windows": _terms["windows"],
    "closed": _terms["closed"],
    "quiet": _terms["quiet"],
    "km": 2,
    "sites": [_where],
}
_times: Final = {"starts_at": "2026-12-08T19:30:00Z", "ends_at": "2026-12-08T22:00:00Z", "places": 12}
_occasion: Final = {
    "id": "9a8f7e6d-5c4b-4a39-9187-b6a54c3d2e18",
    "offer": _PLAY,
    **_times,
    "left": 9,
    "cancelled_at": None,
}
_eligible: Final = {"word": "gym_induction", "given_at": _THEN, "ends_at": None}

EXAMPLES: Final[Mapping[type[msgspec.Struct], Mapping[str, Any]]] = {
    VenueInput: {"name": "Parkside pool", "status": "active"},
    VenueChange: {"name": "Parkside pools and gym"},
    Venue: _venue,
    VenuePage: {"venues": [_venue], "next": None},
    SiteInput: _place,
    SiteChange: {"postcode": "cb11ly", "step_free": True},
    Site: _site,
    SitePage: {"sites": [_site], "next": None},
    Window: _evenings,
    Terms: _terms,
    OfferInput: _details,
    OfferChange: {"price": 90, "terms": {"quota": 50}},
    Offer: _offer,
    OfferPage: {"offers": [_offer], "next": None},
    Where: _where,
    Found: _found,
    FoundPage: {"offers": [_found], "next": None},
    Quota: {"offer": _OFFER, "month": "2026-11", "quota": 40, "used": 39, "left": 1},
    OccasionInput: _times,
    OccasionsInput: {
        "occasions": [_times, {"starts_at": "2026-12-09T19:30:00Z", "ends_at": "2026-12-09T22:00:00Z", "places": 12}]
    },
    OccasionChange: {"places": 20},
    Occasion: _occasion,
    Added: {"occasions": [_occasion]},
    OccasionPage: {"occasions": [_occasion], "next": None},
    EligibleInput: {"ends_at": "2027-11-14T00:00:00Z"},
    Eligible: _eligible,
    EligibleList: {"eligible": [_eligible]},
}
