-- What people give: opportunities, sessions, who came, the hours they claim, and what follows from them.
--
-- A claim's id is also the id of its award in the journal, so one claim has one award at most, and whether it was
-- awarded is read there. `holder` is who gave; `by`, `approver` and the like are identities (see keys.py): the holder
-- behind a key, or the key itself where nobody in particular is behind it. Words that people wrote stand in `remark` and
-- `voucher.label` alone, and can go.

CREATE TABLE scheme.opportunity (
    id              uuid        NOT NULL,
    project         uuid        NOT NULL,
    title           text        NOT NULL,
    description     text        NOT NULL,
    kind            text        NOT NULL,
    status          text        NOT NULL,
    minutes         integer,              -- how long it usually takes
    place           text,
    district        text,                 -- the first half of its postcode: CB4
    tags            text[]      NOT NULL,
    prerequisites   text        NOT NULL, -- "an induction", "already a client"; empty for none
    joining_pence   integer     NOT NULL, -- what joining costs, in pence of sterling
    donation_note   text        NOT NULL,
    referral        text        NOT NULL,
    places          integer,              -- who can come to one session; NULL for as many as like
    created_at      timestamptz NOT NULL,
    changed_at      timestamptz NOT NULL,
    CONSTRAINT opportunity_pkey PRIMARY KEY (id),
    CONSTRAINT opportunity_project_fkey FOREIGN KEY (project) REFERENCES scheme.project,
    CONSTRAINT opportunity_title_is_bounded CHECK (char_length(title) BETWEEN 1 AND 200),
    CONSTRAINT opportunity_texts_are_bounded CHECK (
        char_length(description) <= 2000 AND char_length(place) <= 200 AND char_length(prerequisites) <= 500
        AND char_length(donation_note) <= 500
    ),
    CONSTRAINT opportunity_kind_is_known CHECK (kind IN ('one_off', 'weekly', 'at_home', 'online')),
    CONSTRAINT opportunity_status_is_known CHECK (status IN ('draft', 'published', 'paused', 'ended')),
    CONSTRAINT opportunity_minutes_are_bounded CHECK (minutes BETWEEN 15 AND 1440),
    CONSTRAINT opportunity_district_is_one CHECK (district ~ '^[A-Z]{1,2}[0-9][A-Z0-9]?$'),
    CONSTRAINT opportunity_tags_are_few CHECK (cardinality(tags) <= 20),
    CONSTRAINT opportunity_joining_is_bounded CHECK (joining_pence BETWEEN 0 AND 100000),
    CONSTRAINT opportunity_referral_is_known CHECK (referral IN ('none', 'needed', 'self_or_referred')),
    CONSTRAINT opportunity_places_are_bounded CHECK (places BETWEEN 1 AND 10000)
);
CREATE INDEX opportunity_project ON scheme.opportunity (project);
CREATE INDEX opportunity_published ON scheme.opportunity (title, id) WHERE status = 'published';

-- When hours are given: planned beforehand, or made by the register that tells of it.
CREATE TABLE scheme.session (
    id           uuid        NOT NULL,
    project      uuid        NOT NULL,
    opportunity  uuid,
    started_at   timestamptz NOT NULL,
    ended_at     timestamptz NOT NULL,
    created_at   timestamptz NOT NULL,
    by           uuid        NOT NULL,
    cancelled_at timestamptz,
    CONSTRAINT session_pkey PRIMARY KEY (id),
    CONSTRAINT session_project_fkey FOREIGN KEY (project) REFERENCES scheme.project,
    CONSTRAINT session_opportunity_fkey FOREIGN KEY (opportunity) REFERENCES scheme.opportunity,
    CONSTRAINT session_ends_after_it_starts CHECK (ended_at > started_at),
    CONSTRAINT session_is_at_most_a_day CHECK (ended_at - started_at <= interval '24 hours')
);
CREATE INDEX session_project ON scheme.session (project, started_at, id);
CREATE INDEX session_opportunity ON scheme.session (opportunity, started_at);

-- Who is expected, who came, and how long they stayed.
CREATE TABLE scheme.attendance (
    session        uuid        NOT NULL,
    holder         uuid        NOT NULL,
    state          text        NOT NULL,
    checked_in_at  timestamptz,
    checked_out_at timestamptz,
    minutes        integer, -- as credited or to be credited; 0 is "just tea"
    changed_at     timestamptz NOT NULL,
    by             uuid        NOT NULL,
    CONSTRAINT attendance_pkey PRIMARY KEY (session, holder),
    CONSTRAINT attendance_session_fkey FOREIGN KEY (session) REFERENCES scheme.session,
    CONSTRAINT attendance_holder_fkey FOREIGN KEY (holder) REFERENCES scheme.holder,
    CONSTRAINT attendance_state_is_known CHECK (
        state IN ('expected', 'checked_in', 'checked_out', 'auto_closed', 'confirmed', 'absent')
    ),
    CONSTRAINT attendance_is_checked_in_first CHECK (
        (state NOT IN ('checked_in', 'checked_out', 'auto_closed') OR checked_in_at IS NOT NULL)
        AND (checked_out_at IS NULL OR checked_out_at >= checked_in_at)
    ),
    CONSTRAINT attendance_minutes_are_within_a_day CHECK (minutes BETWEEN 0 AND 1440)
);
CREATE INDEX attendance_holder ON scheme.attendance (holder);
CREATE INDEX attendance_open ON scheme.attendance (session) WHERE state = 'checked_in';

-- Hours that somebody says were given. One that is approved is awarded by the entry of the same id, in the same
-- transaction, or waits for a guardian's consent.
CREATE TABLE scheme.claim (
    id                 uuid        NOT NULL,
    project            uuid        NOT NULL,
    session            uuid,
    holder             uuid,                 -- NULL: nobody we know; the award is a voucher
    started_at         timestamptz NOT NULL,
    ended_at           timestamptz NOT NULL,
    day                date        NOT NULL, -- on which they count, in London
    minutes            integer     NOT NULL, -- as they are to be awarded: rounded
    source             text        NOT NULL,
    state              text        NOT NULL,
    exceptions         text[]      NOT NULL, -- why somebody should look before they approve
    second_needed      boolean     NOT NULL,
    rules              integer     NOT NULL, -- the version of the rules that it was weighed by
    by                 uuid        NOT NULL, -- who claims
    created_at         timestamptz NOT NULL,
    changed_at         timestamptz NOT NULL,
    approver           uuid,
    approved_at        timestamptz,
    second_approver    uuid,
    second_approved_at timestamptz,
    decided_by         uuid,                 -- who queried, rejected or withdrew
    CONSTRAINT claim_pkey PRIMARY KEY (id),
    CONSTRAINT claim_once_a_session UNIQUE (session, holder),
    CONSTRAINT claim_project_fkey FOREIGN KEY (project) REFERENCES scheme.project,
    CONSTRAINT claim_session_fkey FOREIGN KEY (session) REFERENCES scheme.session,
    CONSTRAINT claim_holder_fkey FOREIGN KEY (holder) REFERENCES scheme.holder,
    CONSTRAINT claim_ends_after_it_starts CHECK (ended_at > started_at),
    CONSTRAINT claim_minutes_are_within_a_day CHECK (minutes BETWEEN 1 AND 1440),
    CONSTRAINT claim_source_is_known CHECK (source IN ('register', 'attendance', 'claim')),
    CONSTRAINT claim_state_is_known CHECK (
        state IN ('draft', 'submitted', 'queried', 'approved', 'rejected', 'withdrawn')
    ),
    -- Never one's own hours, and a second approval is another's (rules 7 and 8).
    CONSTRAINT claim_is_approved_by_another CHECK (approver <> holder AND second_approver <> holder),
    CONSTRAINT claim_is_approved_twice_by_two CHECK (second_approver <> approver),
    CONSTRAINT claim_approval_is_whole CHECK (
        (approver IS NULL) = (approved_at IS NULL) AND (second_approver IS NULL) = (second_approved_at IS NULL)
    ),
    CONSTRAINT claim_approved_has_its_approvers CHECK (
        state <> 'approved' OR (approver IS NOT NULL AND (second_approver IS NOT NULL OR NOT second_needed))
    )
);
CREATE INDEX claim_holder_day ON scheme.claim (holder, day);
-- Those with exceptions first.
CREATE INDEX claim_waiting ON scheme.claim (project, (cardinality(exceptions) = 0), created_at, id)
    WHERE state IN ('submitted', 'queried');
CREATE INDEX claim_project ON scheme.claim (project, state, created_at, id);

-- What was said about a claim or a correction, in people's own words.
CREATE TABLE scheme.remark (
    id    uuid        NOT NULL,
    claim uuid        NOT NULL,
    kind  text        NOT NULL,
    body  text        NOT NULL,
    by    uuid        NOT NULL,
    at    timestamptz NOT NULL,
    CONSTRAINT remark_pkey PRIMARY KEY (id),
    CONSTRAINT remark_claim_fkey FOREIGN KEY (claim) REFERENCES scheme.claim,
    CONSTRAINT remark_kind_is_known CHECK (kind IN ('note', 'query', 'rejection', 'correction')),
    CONSTRAINT remark_is_bounded CHECK (char_length(body) BETWEEN 1 AND 2000)
);
CREATE INDEX remark_claim ON scheme.remark (claim, at);

-- A correction is an entry of its own; the claim stays as it was, and counts `after` from then on.
CREATE TABLE scheme.correction (
    id       uuid        NOT NULL, -- the entry's
    claim    uuid        NOT NULL,
    number   integer     NOT NULL, -- 1, 2 ... of this claim
    before   integer     NOT NULL, -- minutes
    after    integer     NOT NULL,
    goodwill integer     NOT NULL, -- of what was taken back, what the wallet no longer had (rule 22); negative: repaid
    by       uuid        NOT NULL,
    at       timestamptz NOT NULL,
    CONSTRAINT correction_pkey PRIMARY KEY (id),
    CONSTRAINT correction_claim_number_key UNIQUE (claim, number),
    CONSTRAINT correction_claim_fkey FOREIGN KEY (claim) REFERENCES scheme.claim,
    CONSTRAINT correction_changes_something CHECK (before <> after),
    CONSTRAINT correction_is_within_a_day CHECK (before BETWEEN 0 AND 1440 AND after BETWEEN 0 AND 1440),
    CONSTRAINT correction_goodwill_is_part CHECK (
        goodwill BETWEEN least(before - after, 0) AND greatest(before - after, 0)
    )
);

-- A claim as it counts now: corrected, and not at all if it was rejected or withdrawn.
CREATE VIEW scheme.counted AS
    SELECT c.id, c.project, c.session, c.holder, c.started_at, c.ended_at, c.day, c.state,
        coalesce(newest.after, c.minutes) AS minutes
    FROM scheme.claim c
    LEFT JOIN LATERAL (
        SELECT after FROM scheme.correction WHERE claim = c.id ORDER BY number DESC LIMIT 1
    ) newest ON true
    WHERE c.state IN ('submitted', 'queried', 'approved') AND newest.after IS DISTINCT FROM 0;

-- A slip for somebody without an account: who types its code in gets the minutes (from `paper:{session}`).
CREATE TABLE scheme.voucher (
    claim      uuid        NOT NULL, -- its award put the minutes there
    session    uuid        NOT NULL,
    code_hash  bytea       NOT NULL, -- HMAC-SHA-256 under the scheme's secret; the code can be made again, never read
    label      text,                 -- what the register called them; goes when it was claimed
    claimed_at timestamptz,
    claimed_by uuid,                 -- a holder
    entry      uuid,
    CONSTRAINT voucher_pkey PRIMARY KEY (claim),
    CONSTRAINT voucher_code_key UNIQUE (code_hash),
    CONSTRAINT voucher_claim_fkey FOREIGN KEY (claim) REFERENCES scheme.claim,
    CONSTRAINT voucher_session_fkey FOREIGN KEY (session) REFERENCES scheme.session,
    CONSTRAINT voucher_claimed_by_fkey FOREIGN KEY (claimed_by) REFERENCES scheme.holder,
    CONSTRAINT voucher_hash_is_whole CHECK (octet_length(code_hash) = 32),
    CONSTRAINT voucher_label_is_bounded CHECK (char_length(label) BETWEEN 1 AND 200),
    CONSTRAINT voucher_claimed_has_no_label CHECK (claimed_at IS NULL OR label IS NULL),
    CONSTRAINT voucher_is_claimed_whole CHECK (
        (claimed_at IS NULL) = (claimed_by IS NULL) AND (claimed_at IS NULL) = (entry IS NULL)
    )
);
CREATE INDEX voucher_session ON scheme.voucher (session) WHERE label IS NOT NULL;

-- Who answers for somebody under 16, and what they agreed to. A consent holds while it is neither withdrawn nor past
-- its end; `lapsed_at` only tells that this was noticed and said.
CREATE TABLE scheme.guardian (
    child    uuid        NOT NULL, -- persons both
    guardian uuid        NOT NULL,
    began_at timestamptz NOT NULL,
    ended_at timestamptz,
    CONSTRAINT guardian_pkey PRIMARY KEY (child, guardian),
    CONSTRAINT guardian_child_fkey FOREIGN KEY (child) REFERENCES scheme.person ON DELETE CASCADE,
    CONSTRAINT guardian_guardian_fkey FOREIGN KEY (guardian) REFERENCES scheme.person ON DELETE CASCADE,
    CONSTRAINT guardian_is_another CHECK (child <> guardian)
);
CREATE INDEX guardian_guardian ON scheme.guardian (guardian);

CREATE TABLE scheme.consent (
    id           uuid        NOT NULL,
    child        uuid        NOT NULL,
    guardian     uuid        NOT NULL,
    given_at     timestamptz NOT NULL,
    given_by     uuid        NOT NULL, -- who recorded it
    ends_at      timestamptz NOT NULL,
    withdrawn_at timestamptz,
    lapsed_at    timestamptz,
    CONSTRAINT consent_pkey PRIMARY KEY (id),
    CONSTRAINT consent_guardian_fkey FOREIGN KEY (child, guardian) REFERENCES scheme.guardian ON DELETE CASCADE,
    CONSTRAINT consent_ends_later CHECK (ends_at > given_at),
    CONSTRAINT consent_ends_once CHECK (withdrawn_at IS NULL OR lapsed_at IS NULL)
);
CREATE INDEX consent_child ON scheme.consent (child, given_at DESC);
CREATE INDEX consent_ends ON scheme.consent (ends_at) WHERE withdrawn_at IS NULL AND lapsed_at IS NULL;

-- A funder's cap on what a project gives (rule 10): entries `cap:{project}` to `allocation:{project}`.
CREATE TABLE scheme.allocation (
    id      uuid        NOT NULL, -- the entry's
    project uuid        NOT NULL,
    funder  text        NOT NULL,
    minutes integer     NOT NULL,
    by      uuid        NOT NULL,
    at      timestamptz NOT NULL,
    CONSTRAINT allocation_pkey PRIMARY KEY (id),
    CONSTRAINT allocation_project_fkey FOREIGN KEY (project) REFERENCES scheme.project,
    CONSTRAINT allocation_funder_is_bounded CHECK (char_length(funder) BETWEEN 1 AND 200),
    CONSTRAINT allocation_is_bounded CHECK (minutes BETWEEN 1 AND 600000000)
);
CREATE INDEX allocation_project ON scheme.allocation (project, at);

GRANT SELECT, INSERT ON scheme.opportunity, scheme.session, scheme.attendance, scheme.claim, scheme.remark,
    scheme.correction, scheme.voucher, scheme.guardian, scheme.consent, scheme.allocation TO timecredits_app;
GRANT SELECT ON scheme.counted TO timecredits_app;
GRANT UPDATE (title, description, kind, status, minutes, place, district, tags, prerequisites, joining_pence,
    donation_note, referral, places, changed_at) ON scheme.opportunity TO timecredits_app;
GRANT UPDATE (cancelled_at) ON scheme.session TO timecredits_app;
GRANT UPDATE (state, checked_in_at, checked_out_at, minutes, changed_at, by), DELETE ON scheme.attendance
    TO timecredits_app;
GRANT UPDATE (holder, started_at, ended_at, day, minutes, state, exceptions, second_needed, rules, changed_at, approver,
    approved_at, second_approver, second_approved_at, decided_by) ON scheme.claim TO timecredits_app;
GRANT DELETE ON scheme.remark TO timecredits_app;
GRANT UPDATE (label, claimed_at, claimed_by, entry) ON scheme.voucher TO timecredits_app;
GRANT UPDATE (ended_at) ON scheme.guardian TO timecredits_app;
GRANT UPDATE (withdrawn_at, lapsed_at) ON scheme.consent TO timecredits_app;
