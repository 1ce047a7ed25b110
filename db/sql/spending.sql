-- Spending: offers with their rules, what proves who somebody is at a till, bookings, gifts, paper. How a redemption or
-- a gift stands is told by the journal; here is only what the journal doesn't know.
--
-- Times are timestamptz; minutes are integers; 60 minutes are one Time Credit.

-- Where the half of a postcode lies, for "near me": from an open list that the scheme loads.
CREATE TABLE scheme.district (
    name      text             NOT NULL, -- "CB4"
    latitude  double precision NOT NULL,
    longitude double precision NOT NULL,
    CONSTRAINT district_pkey PRIMARY KEY (name),
    CONSTRAINT district_name_is_one CHECK (name ~ '^[A-Z]{1,2}[0-9][0-9A-Z]?$'),
    CONSTRAINT district_is_in_the_kingdom CHECK (latitude BETWEEN 49 AND 61 AND longitude BETWEEN -9 AND 2)
);

CREATE TABLE scheme.offer (
    id          uuid        NOT NULL,
    venue       uuid        NOT NULL,
    site        uuid,                 -- NULL: at each of the venue's sites
    kind        text        NOT NULL, -- a drop-in, a show, a course of sessions, a ticket for a day agreed beforehand
    reach       text        NOT NULL,
    title       text        NOT NULL,
    description text        NOT NULL,
    expect      text        NOT NULL, -- what to expect: for whoever is anxious about going
    price       integer     NOT NULL, -- minutes, for each person who is charged (each session of a course)
    terms       text        NOT NULL, -- JSON: its rules, as ledger/scheme/terms.py has them
    status      text        NOT NULL,
    created_at  timestamptz NOT NULL,
    changed_at  timestamptz NOT NULL,
    CONSTRAINT offer_pkey PRIMARY KEY (id),
    CONSTRAINT offer_venue_fkey FOREIGN KEY (venue) REFERENCES scheme.venue,
    CONSTRAINT offer_site_fkey FOREIGN KEY (site) REFERENCES scheme.site,
    CONSTRAINT offer_kind_is_known CHECK (kind IN ('drop_in', 'show', 'course', 'ticket')),
    CONSTRAINT offer_reach_is_known CHECK (reach IN ('local', 'county', 'national')),
    CONSTRAINT offer_title_is_bounded CHECK (char_length(title) BETWEEN 1 AND 200),
    CONSTRAINT offer_texts_are_bounded CHECK (char_length(description) <= 4000 AND char_length(expect) <= 4000),
    CONSTRAINT offer_price_is_bounded CHECK (price BETWEEN 1 AND 6000),
    CONSTRAINT offer_terms_are_bounded CHECK (octet_length(terms) <= 16384),
    CONSTRAINT offer_status_is_known CHECK (status IN ('draft', 'published', 'paused', 'ended'))
);
CREATE INDEX offer_venue ON scheme.offer (venue);
CREATE INDEX offer_published ON scheme.offer (reach, id) WHERE status = 'published';

-- When a show is given, or a session of a course.
CREATE TABLE scheme.occasion (
    id           uuid        NOT NULL,
    offer        uuid        NOT NULL,
    starts_at    timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL,
    places       integer,              -- for credits; NULL: no limit but the offer's own
    cancelled_at timestamptz,
    CONSTRAINT occasion_pkey PRIMARY KEY (id),
    CONSTRAINT occasion_offer_fkey FOREIGN KEY (offer) REFERENCES scheme.offer,
    CONSTRAINT occasion_ends_later CHECK (ends_at > starts_at),
    CONSTRAINT occasion_places_are_bounded CHECK (places BETWEEN 0 AND 100000)
);
CREATE INDEX occasion_offer ON scheme.occasion (offer, starts_at);
-- What there is on a day, for whoever looks.
CREATE INDEX occasion_starts_at ON scheme.occasion (starts_at) WHERE cancelled_at IS NULL;
-- Whose bookings come undone.
CREATE INDEX occasion_cancelled ON scheme.occasion (starts_at) WHERE cancelled_at IS NOT NULL;

-- What somebody may do that not everybody may: an induction done, already a client. An offer asks for it by its word;
-- a venue hears yes or no.
CREATE TABLE scheme.eligible (
    person   uuid        NOT NULL,
    word     text        NOT NULL,
    given_at timestamptz NOT NULL,
    given_by uuid        NOT NULL,
    ends_at  timestamptz,
    CONSTRAINT eligible_pkey PRIMARY KEY (person, word),
    CONSTRAINT eligible_person_fkey FOREIGN KEY (person) REFERENCES scheme.person ON DELETE CASCADE,
    CONSTRAINT eligible_word_is_one CHECK (word ~ '^[a-z][a-z0-9_]{0,47}$')
);

-- Bearer vouchers, printed together from a pot: entry pot -> paper:{batch}.
CREATE TABLE scheme.batch (
    id         uuid        NOT NULL, -- the entry's
    "group"    uuid,                 -- whose pot; NULL: the community's
    label      text        NOT NULL,
    minutes    integer     NOT NULL, -- each
    count      integer     NOT NULL,
    expires_at timestamptz NOT NULL,
    printed_at timestamptz NOT NULL,
    printed_by uuid        NOT NULL,
    ended_at   timestamptz,          -- what was left went back to the pot: it was voided, or its last day was over
    CONSTRAINT batch_pkey PRIMARY KEY (id),
    CONSTRAINT batch_group_fkey FOREIGN KEY ("group") REFERENCES scheme.group,
    CONSTRAINT batch_label_is_bounded CHECK (char_length(label) BETWEEN 1 AND 200),
    CONSTRAINT batch_is_bounded CHECK (minutes BETWEEN 1 AND 6000 AND count BETWEEN 1 AND 1000),
    CONSTRAINT batch_expires_later CHECK (expires_at > printed_at)
);
CREATE INDEX batch_printed_at ON scheme.batch (printed_at, id);
CREATE INDEX batch_group ON scheme.batch ("group", printed_at, id) WHERE "group" IS NOT NULL;
CREATE INDEX batch_open ON scheme.batch (expires_at) WHERE ended_at IS NULL;

-- What proves at a till who somebody is, or that something was paid for. Codes are made anew from the scheme's secret
-- and the id (codes.py), never stored; they are found by their keyed hash.
CREATE TABLE scheme.credential (
    id          uuid        NOT NULL,
    kind        text        NOT NULL,
    status      text        NOT NULL, -- and expired, once expires_at has passed
    holder      uuid,                 -- whose; NULL: a bearer's
    code_hash   bytea,                -- of what stands on it; a phone pass has another code every 30 s
    number      integer,              -- a phone pass's own, which its codes begin with
    booking     uuid,                 -- a booking code's hold; of a course, the first of its sessions
    batch       uuid,                 -- a voucher's
    issued_at   timestamptz NOT NULL,
    issued_by   uuid        NOT NULL, -- an identity
    project     uuid,                 -- whose desk issued a card; NULL: the scheme's staff
    expires_at  timestamptz,
    changed_at  timestamptz NOT NULL,
    changed_by  uuid        NOT NULL,
    replaced_by uuid,
    used_by     uuid,                 -- the entry that a voucher went into
    CONSTRAINT credential_pkey PRIMARY KEY (id),
    CONSTRAINT credential_code_key UNIQUE (code_hash),
    CONSTRAINT credential_number_key UNIQUE (number),
    CONSTRAINT credential_holder_fkey FOREIGN KEY (holder) REFERENCES scheme.holder,
    CONSTRAINT credential_project_fkey FOREIGN KEY (project) REFERENCES scheme.project,
    CONSTRAINT credential_batch_fkey FOREIGN KEY (batch) REFERENCES scheme.batch,
    CONSTRAINT credential_replaced_by_fkey FOREIGN KEY (replaced_by) REFERENCES scheme.credential,
    CONSTRAINT credential_kind_is_known CHECK (kind IN ('card', 'pass', 'booking', 'voucher')),
    CONSTRAINT credential_status_is_known CHECK (status IN ('active', 'blocked', 'replaced', 'revoked')),
    CONSTRAINT credential_hash_is_whole CHECK (octet_length(code_hash) = 32),
    CONSTRAINT credential_is_found_by_one CHECK ((kind = 'pass') = (number IS NOT NULL) AND (number IS NULL) <> (code_hash IS NULL)),
    CONSTRAINT credential_number_is_30_bits CHECK (number BETWEEN 0 AND 1073741823),
    CONSTRAINT credential_of_its_kind CHECK (
        (kind = 'voucher') = (batch IS NOT NULL) AND (kind = 'booking') = (booking IS NOT NULL)
        AND (kind = 'voucher' OR holder IS NOT NULL)
    ),
    CONSTRAINT credential_replaced_says_by_what CHECK ((status = 'replaced') = (replaced_by IS NOT NULL)),
    CONSTRAINT credential_only_cards_are_a_projects CHECK (project IS NULL OR kind = 'card'),
    CONSTRAINT credential_only_vouchers_are_used CHECK (used_by IS NULL OR kind = 'voucher')
);
CREATE UNIQUE INDEX credential_booking ON scheme.credential (booking) WHERE booking IS NOT NULL AND status = 'active';
CREATE INDEX credential_holder ON scheme.credential (holder) WHERE holder IS NOT NULL;
-- One card and one pass a person: a new one replaces it.
CREATE UNIQUE INDEX credential_live ON scheme.credential (holder, kind)
    WHERE kind IN ('card', 'pass') AND status IN ('active', 'blocked');
CREATE INDEX credential_batch ON scheme.credential (batch) WHERE batch IS NOT NULL;

-- Codes that were nobody's, for a day: typed at a till or kiosk, under somebody's key, or by neither, to enrol a device.
CREATE TABLE scheme.wrong_code (
    id       uuid        NOT NULL,
    device   uuid,
    venue    uuid,                 -- a till's
    identity uuid,                 -- whoever typed a slip's code
    at       timestamptz NOT NULL,
    CONSTRAINT wrong_code_pkey PRIMARY KEY (id),
    CONSTRAINT wrong_code_device_fkey FOREIGN KEY (device) REFERENCES scheme.device,
    CONSTRAINT wrong_code_venue_fkey FOREIGN KEY (venue) REFERENCES scheme.venue,
    CONSTRAINT wrong_code_is_typed_once CHECK ((venue IS NULL OR device IS NOT NULL) AND (device IS NULL OR identity IS NULL))
);
CREATE INDEX wrong_code_device ON scheme.wrong_code (device, at) WHERE device IS NOT NULL;
CREATE INDEX wrong_code_venue ON scheme.wrong_code (venue, at) WHERE venue IS NOT NULL;
CREATE INDEX wrong_code_identity ON scheme.wrong_code (identity, at) WHERE identity IS NOT NULL;
CREATE INDEX wrong_code_nobodys ON scheme.wrong_code (at) WHERE device IS NULL AND identity IS NULL;
CREATE INDEX wrong_code_at ON scheme.wrong_code (at);

-- A redemption that is, or was, on hold: what the journal doesn't know of it. Its id is the hold's entry's.
CREATE TABLE scheme.booking (
    id       uuid        NOT NULL,
    offer    uuid        NOT NULL,
    venue    uuid        NOT NULL,
    site     uuid,
    holder   uuid        NOT NULL, -- who comes
    "group"  uuid,                 -- whose pot pays; NULL: the holder's wallet
    occasion uuid,
    course   uuid,                 -- the first of the sessions of a course that were booked together
    visit_at timestamptz NOT NULL,
    cancel_until timestamptz,      -- up to then whoever booked may cancel, whatever the terms are later; NULL: a walk-in
    walk_in  boolean     NOT NULL, -- authorised at the till, for now
    party    text        NOT NULL, -- JSON: how many, by age band
    made_at  timestamptz NOT NULL,
    made_by  uuid        NOT NULL, -- an identity
    CONSTRAINT booking_pkey PRIMARY KEY (id),
    CONSTRAINT booking_offer_fkey FOREIGN KEY (offer) REFERENCES scheme.offer,
    CONSTRAINT booking_venue_fkey FOREIGN KEY (venue) REFERENCES scheme.venue,
    CONSTRAINT booking_site_fkey FOREIGN KEY (site) REFERENCES scheme.site,
    CONSTRAINT booking_holder_fkey FOREIGN KEY (holder) REFERENCES scheme.holder,
    CONSTRAINT booking_group_fkey FOREIGN KEY ("group") REFERENCES scheme.group,
    CONSTRAINT booking_occasion_fkey FOREIGN KEY (occasion) REFERENCES scheme.occasion,
    CONSTRAINT booking_is_cancelled_beforehand CHECK (walk_in = (cancel_until IS NULL) AND cancel_until <= visit_at),
    CONSTRAINT booking_party_is_bounded CHECK (octet_length(party) <= 200)
);
CREATE INDEX booking_holder ON scheme.booking (holder, visit_at);
CREATE INDEX booking_venue ON scheme.booking (venue, visit_at);
CREATE INDEX booking_occasion ON scheme.booking (occasion) WHERE occasion IS NOT NULL;
CREATE INDEX booking_course ON scheme.booking (course) WHERE course IS NOT NULL;
CREATE INDEX booking_group ON scheme.booking ("group", visit_at) WHERE "group" IS NOT NULL;

-- Holds whose time runs out: a queue. What was resolved before is found to be so when its time comes, and goes.
CREATE TABLE scheme.lapse (
    entry uuid        NOT NULL, -- the hold's
    at    timestamptz NOT NULL,
    CONSTRAINT lapse_pkey PRIMARY KEY (entry)
);
CREATE INDEX lapse_at ON scheme.lapse (at, entry);

-- A gift is a hold, wallet -> transit: accepted is captured, declined is voided, lapsed is lapsed.
CREATE TABLE scheme.gift (
    id         uuid        NOT NULL, -- the hold's entry
    giver      uuid        NOT NULL, -- holders both
    receiver   uuid        NOT NULL,
    minutes    integer     NOT NULL,
    words      text,                 -- what the giver says with it; goes with either of them
    offered_at timestamptz NOT NULL,
    lapses_at  timestamptz NOT NULL,
    CONSTRAINT gift_pkey PRIMARY KEY (id),
    CONSTRAINT gift_giver_fkey FOREIGN KEY (giver) REFERENCES scheme.holder,
    CONSTRAINT gift_receiver_fkey FOREIGN KEY (receiver) REFERENCES scheme.holder,
    CONSTRAINT gift_to_another CHECK (giver <> receiver),
    CONSTRAINT gift_is_bounded CHECK (minutes BETWEEN 1 AND 60000),
    CONSTRAINT gift_words_are_bounded CHECK (char_length(words) BETWEEN 1 AND 200)
);
CREATE INDEX gift_giver ON scheme.gift (giver, offered_at);
CREATE INDEX gift_receiver ON scheme.gift (receiver, offered_at);

-- A spend from a group's pot that waits for its other keyholder.
CREATE TABLE scheme.pot_spend (
    id          uuid        NOT NULL,
    "group"     uuid        NOT NULL,
    proposed_by uuid        NOT NULL, -- a holder
    actor       uuid        NOT NULL, -- who typed it: that holder, or one of the office or a program for them
    proposed_at timestamptz NOT NULL,
    minutes     integer     NOT NULL,
    request     text        NOT NULL, -- JSON: what is to be booked
    agreed_by   uuid,
    decided_at  timestamptz,
    declined    boolean     NOT NULL DEFAULT false,
    booking     uuid,
    CONSTRAINT pot_spend_pkey PRIMARY KEY (id),
    CONSTRAINT pot_spend_group_fkey FOREIGN KEY ("group") REFERENCES scheme.group,
    CONSTRAINT pot_spend_proposed_by_fkey FOREIGN KEY (proposed_by) REFERENCES scheme.holder,
    CONSTRAINT pot_spend_agreed_by_fkey FOREIGN KEY (agreed_by) REFERENCES scheme.holder,
    CONSTRAINT pot_spend_needs_two CHECK (agreed_by <> proposed_by),
    CONSTRAINT pot_spend_request_is_bounded CHECK (octet_length(request) <= 2000)
);
CREATE INDEX pot_spend_group ON scheme.pot_spend ("group", proposed_at);
CREATE INDEX pot_spend_proposed_by ON scheme.pot_spend (proposed_by);
CREATE INDEX pot_spend_agreed_by ON scheme.pot_spend (agreed_by) WHERE agreed_by IS NOT NULL;

-- Paper notes of the scheme before this one: each serial is taken in once.
CREATE TABLE scheme.note (
    serial      text        NOT NULL,
    holder      uuid        NOT NULL,
    minutes     integer     NOT NULL,
    entry       uuid        NOT NULL,
    taken_at    timestamptz NOT NULL,
    taken_by    uuid        NOT NULL,
    CONSTRAINT note_pkey PRIMARY KEY (serial),
    CONSTRAINT note_holder_fkey FOREIGN KEY (holder) REFERENCES scheme.holder,
    CONSTRAINT note_serial_is_bounded CHECK (char_length(serial) BETWEEN 1 AND 64),
    CONSTRAINT note_is_bounded CHECK (minutes BETWEEN 1 AND 60000)
);
CREATE INDEX note_holder ON scheme.note (holder);

-- What every process keeps in memory of offers; see scheme.sql. A new version of the rules hides the one before.
CREATE TRIGGER offer_is_in_the_directory AFTER UPDATE OR DELETE OR TRUNCATE ON scheme.offer
    FOR EACH STATEMENT EXECUTE FUNCTION scheme.bump_directory();
ALTER TABLE scheme.offer ENABLE ALWAYS TRIGGER offer_is_in_the_directory;
CREATE TRIGGER rules_are_in_the_directory AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON scheme.rules
    FOR EACH STATEMENT EXECUTE FUNCTION scheme.bump_directory();
ALTER TABLE scheme.rules ENABLE ALWAYS TRIGGER rules_are_in_the_directory;

GRANT SELECT, INSERT ON scheme.district, scheme.offer, scheme.occasion, scheme.eligible, scheme.batch,
    scheme.credential, scheme.wrong_code, scheme.booking, scheme.lapse, scheme.gift, scheme.pot_spend, scheme.note
    TO timecredits_app;
GRANT UPDATE (latitude, longitude), DELETE ON scheme.district TO timecredits_app;
GRANT UPDATE (site, kind, reach, title, description, expect, price, terms, status, changed_at) ON scheme.offer
    TO timecredits_app;
GRANT UPDATE (starts_at, ends_at, places, cancelled_at) ON scheme.occasion TO timecredits_app;
GRANT UPDATE (given_at, given_by, ends_at), DELETE ON scheme.eligible TO timecredits_app;
GRANT UPDATE (status, expires_at, booking, changed_at, changed_by, replaced_by, used_by) ON scheme.credential TO timecredits_app;
GRANT UPDATE (ended_at) ON scheme.batch TO timecredits_app;
GRANT DELETE ON scheme.wrong_code, scheme.lapse TO timecredits_app;
GRANT UPDATE (words) ON scheme.gift TO timecredits_app;
GRANT UPDATE (agreed_by, decided_at, declined, booking) ON scheme.pot_spend TO timecredits_app;
