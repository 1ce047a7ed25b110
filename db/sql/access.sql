-- Who may do what, and how they prove who they are: roles, sign-ins, one-time codes, passkeys, letters, preferences.
-- Of every secret only a hash is kept.

-- What somebody may do besides being a volunteer. Being a helper or a guardian stands in tables of its own.
CREATE TABLE scheme.role (
    id         uuid        NOT NULL,
    holder     uuid        NOT NULL, -- whose it is
    role       text        NOT NULL,
    project    uuid,
    venue      uuid,
    granted_at timestamptz NOT NULL,
    granted_by uuid        NOT NULL, -- an identity
    ended_at   timestamptz,
    ended_by   uuid,
    CONSTRAINT role_pkey PRIMARY KEY (id),
    CONSTRAINT role_holder_fkey FOREIGN KEY (holder) REFERENCES scheme.holder,
    CONSTRAINT role_project_fkey FOREIGN KEY (project) REFERENCES scheme.project,
    CONSTRAINT role_venue_fkey FOREIGN KEY (venue) REFERENCES scheme.venue,
    CONSTRAINT role_is_known CHECK (role IN ('coordinator', 'approver', 'manager', 'staff', 'auditor')),
    CONSTRAINT role_names_its_object CHECK (
        (role IN ('coordinator', 'approver')) = (project IS NOT NULL) AND (role = 'manager') = (venue IS NOT NULL)
    ),
    CONSTRAINT role_ends_once CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
CREATE UNIQUE INDEX role_live ON scheme.role (holder, role, coalesce(project, venue, holder)) WHERE ended_at IS NULL;
CREATE INDEX role_holder ON scheme.role (holder);
CREATE INDEX role_project ON scheme.role (project) WHERE ended_at IS NULL;
CREATE INDEX role_venue ON scheme.role (venue) WHERE ended_at IS NULL;
CREATE INDEX role_of_scheme ON scheme.role (role) WHERE ended_at IS NULL AND project IS NULL AND venue IS NULL;

-- A browser that is signed in: somebody's, or a till's or kiosk's.
CREATE TABLE scheme.sign_in (
    id         uuid        NOT NULL,
    token_hash bytea       NOT NULL, -- SHA-256 of 256 random bits, which are the cookie
    holder     uuid,
    device     uuid,
    strength   text        NOT NULL,
    shared     boolean     NOT NULL DEFAULT false, -- on a computer that others use, as they said themselves
    made_at    timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL, -- to the hour; to the minute on a shared computer
    ends_at    timestamptz NOT NULL,
    ended_at   timestamptz,
    CONSTRAINT sign_in_pkey PRIMARY KEY (id),
    CONSTRAINT sign_in_token_key UNIQUE (token_hash),
    CONSTRAINT sign_in_holder_fkey FOREIGN KEY (holder) REFERENCES scheme.holder,
    CONSTRAINT sign_in_device_fkey FOREIGN KEY (device) REFERENCES scheme.device,
    CONSTRAINT sign_in_is_somebodys_or_a_devices CHECK ((holder IS NULL) <> (device IS NULL)),
    CONSTRAINT sign_in_strength_is_known CHECK (strength IN ('link', 'passkey', 'organisation', 'device')),
    CONSTRAINT sign_in_device_is_enrolled CHECK ((strength = 'device') = (device IS NOT NULL)),
    CONSTRAINT sign_in_is_shared_by_link CHECK (NOT shared OR strength = 'link'), -- the others end soon anyway
    CONSTRAINT sign_in_hash_is_whole CHECK (octet_length(token_hash) = 32)
);
CREATE INDEX sign_in_holder ON scheme.sign_in (holder);
CREATE INDEX sign_in_device ON scheme.sign_in (device);
CREATE INDEX sign_in_ends ON scheme.sign_in (ends_at);

-- A link and a code that were sent to somebody, good once, for a short time, in the browser that asked.
CREATE TABLE scheme.one_time (
    id           uuid        NOT NULL,
    purpose      text        NOT NULL,
    holder       uuid        NOT NULL,
    link_hash    bytea       NOT NULL, -- of 128 random bits
    code_hash    bytea,                -- HMAC under the scheme's secret: typed where the link can't be opened
    browser_hash bytea,                -- NULL: for whichever browser opens it, as an invitation is
    made_at      timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL,
    used_at      timestamptz,
    CONSTRAINT one_time_pkey PRIMARY KEY (id),
    CONSTRAINT one_time_link_key UNIQUE (link_hash),
    CONSTRAINT one_time_holder_fkey FOREIGN KEY (holder) REFERENCES scheme.holder,
    CONSTRAINT one_time_purpose_is_known CHECK (purpose IN ('sign_in', 'passkey')),
    CONSTRAINT one_time_hashes_are_whole CHECK (
        octet_length(link_hash) = 32 AND octet_length(code_hash) = 32 AND octet_length(browser_hash) = 32
    )
);
CREATE INDEX one_time_holder ON scheme.one_time (holder, made_at);
CREATE INDEX one_time_browser ON scheme.one_time (browser_hash) WHERE used_at IS NULL;
CREATE INDEX one_time_ends ON scheme.one_time (ends_at);

-- How often something was tried: requests for letters, by address and by network, so that nobody is flooded; and codes,
-- by browser, so that none is guessed.
CREATE TABLE scheme.attempt (
    what  text        NOT NULL, -- 'letter_from', 'letter_to', 'challenge_from', 'code_in'
    whom  bytea       NOT NULL, -- HMAC under the scheme's secret of an address, SHA-256 of a browser's value
    since timestamptz NOT NULL, -- the hour
    count integer     NOT NULL,
    CONSTRAINT attempt_pkey PRIMARY KEY (what, whom, since),
    CONSTRAINT attempt_what_is_a_word CHECK (what ~ '^[a-z][a-z_]{0,47}$'),
    CONSTRAINT attempt_whom_is_whole CHECK (octet_length(whom) = 32)
);
CREATE INDEX attempt_since ON scheme.attempt (since);

CREATE TABLE scheme.passkey (
    credential bytea       NOT NULL, -- the id that the authenticator gave it
    holder     uuid        NOT NULL,
    public_key bytea       NOT NULL,
    sign_count bigint      NOT NULL,
    name       text        NOT NULL, -- "my phone"
    made_at    timestamptz NOT NULL,
    used_at    timestamptz,
    ended_at   timestamptz,
    CONSTRAINT passkey_pkey PRIMARY KEY (credential),
    CONSTRAINT passkey_holder_fkey FOREIGN KEY (holder) REFERENCES scheme.holder,
    CONSTRAINT passkey_is_bounded CHECK (octet_length(credential) BETWEEN 16 AND 1023 AND octet_length(public_key) <= 2048),
    CONSTRAINT passkey_name_is_bounded CHECK (char_length(name) BETWEEN 1 AND 100)
);
CREATE INDEX passkey_holder ON scheme.passkey (holder);

-- What an authenticator, or an organisation's sign-in, is to answer; used once.
CREATE TABLE scheme.challenge (
    id           uuid        NOT NULL,
    purpose      text        NOT NULL,
    challenge    bytea       NOT NULL,
    holder       uuid,                 -- who adds a passkey; NULL: somebody signs in
    browser_hash bytea       NOT NULL,
    ends_at      timestamptz NOT NULL,
    CONSTRAINT challenge_pkey PRIMARY KEY (id),
    CONSTRAINT challenge_holder_fkey FOREIGN KEY (holder) REFERENCES scheme.holder,
    CONSTRAINT challenge_purpose_is_known CHECK (purpose IN ('add', 'sign_in', 'organisation')),
    CONSTRAINT challenge_adds_for_somebody CHECK ((purpose = 'add') = (holder IS NOT NULL)),
    CONSTRAINT challenge_is_long CHECK (octet_length(challenge) = 32 AND octet_length(browser_hash) = 32)
);
CREATE INDEX challenge_browser ON scheme.challenge (browser_hash);
CREATE INDEX challenge_holder ON scheme.challenge (holder) WHERE holder IS NOT NULL;
CREATE INDEX challenge_ends ON scheme.challenge (ends_at);

-- Somebody lost their passkeys: two of the staff agree, then an invitation to make a new one is sent.
CREATE TABLE scheme.recovery (
    id        uuid        NOT NULL,
    holder    uuid        NOT NULL,
    asked_at  timestamptz NOT NULL,
    asked_by  uuid        NOT NULL, -- a holder of the staff
    agreed_at timestamptz,
    agreed_by uuid,                 -- another
    ended_at  timestamptz,          -- declined, or too late
    CONSTRAINT recovery_pkey PRIMARY KEY (id),
    CONSTRAINT recovery_holder_fkey FOREIGN KEY (holder) REFERENCES scheme.holder,
    CONSTRAINT recovery_is_agreed_by_another CHECK (agreed_by <> asked_by AND asked_by <> holder AND agreed_by <> holder),
    CONSTRAINT recovery_is_agreed_whole CHECK ((agreed_at IS NULL) = (agreed_by IS NULL))
);
CREATE UNIQUE INDEX recovery_live ON scheme.recovery (holder) WHERE agreed_at IS NULL AND ended_at IS NULL;

-- Whom an organisation's own sign-in (OIDC) vouches for.
CREATE TABLE scheme.vouched (
    issuer  text        NOT NULL,
    subject text        NOT NULL,
    holder  uuid        NOT NULL,
    made_at timestamptz NOT NULL,
    CONSTRAINT vouched_pkey PRIMARY KEY (issuer, subject),
    CONSTRAINT vouched_holder_fkey FOREIGN KEY (holder) REFERENCES scheme.holder,
    CONSTRAINT vouched_is_bounded CHECK (octet_length(issuer) <= 255 AND octet_length(subject) <= 255)
);
CREATE INDEX vouched_holder ON scheme.vouched (holder);

-- Mail to be sent. It holds a secret until it is gone, so what was sent loses its words.
CREATE TABLE scheme.letter (
    id        uuid        NOT NULL,
    at        timestamptz NOT NULL,
    holder    uuid,                 -- whose letter it is
    recipient text,
    subject   text        NOT NULL,
    body      text,
    tries     smallint    NOT NULL DEFAULT 0,
    next_at   timestamptz NOT NULL,
    ends_at   timestamptz NOT NULL, -- later nobody would want it
    sent_at   timestamptz,
    CONSTRAINT letter_pkey PRIMARY KEY (id),
    CONSTRAINT letter_is_bounded CHECK (
        char_length(recipient) <= 254 AND char_length(subject) <= 200 AND char_length(body) <= 4000
    )
);
CREATE INDEX letter_waiting ON scheme.letter (next_at) WHERE sent_at IS NULL AND body IS NOT NULL;
CREATE INDEX letter_ends ON scheme.letter (ends_at);
CREATE INDEX letter_holder ON scheme.letter (holder);

-- How somebody would like the service to be.
CREATE TABLE scheme.preference (
    person      uuid        NOT NULL,
    language    text        NOT NULL DEFAULT 'en',
    large_print boolean     NOT NULL DEFAULT false,
    quiet       boolean     NOT NULL DEFAULT false, -- only what they must know
    paused_at   timestamptz,                        -- taking a break: not written to
    named       boolean     NOT NULL DEFAULT true,  -- whether others of their groups may choose them by name
    milestones  integer[]   NOT NULL DEFAULT '{}',  -- hours at which they would like a certificate
    changed_at  timestamptz NOT NULL,
    CONSTRAINT preference_pkey PRIMARY KEY (person),
    CONSTRAINT preference_person_fkey FOREIGN KEY (person) REFERENCES scheme.person ON DELETE CASCADE,
    CONSTRAINT preference_language_is_known CHECK (language IN ('en', 'cy')),
    CONSTRAINT preference_milestones_are_few CHECK (cardinality(milestones) <= 20)
);

GRANT SELECT, INSERT ON scheme.role, scheme.sign_in, scheme.one_time, scheme.attempt, scheme.passkey, scheme.challenge,
    scheme.recovery, scheme.vouched, scheme.letter, scheme.preference TO timecredits_app;
GRANT UPDATE (ended_at, ended_by) ON scheme.role TO timecredits_app;
GRANT UPDATE (seen_at, ends_at, ended_at), DELETE ON scheme.sign_in TO timecredits_app;
GRANT UPDATE (used_at), DELETE ON scheme.one_time TO timecredits_app;
GRANT UPDATE (count), DELETE ON scheme.attempt TO timecredits_app;
GRANT UPDATE (sign_count, used_at, ended_at, name), DELETE ON scheme.passkey TO timecredits_app;
GRANT UPDATE (ends_at), DELETE ON scheme.challenge TO timecredits_app; -- nothing is changed: a row can be locked
GRANT UPDATE (agreed_at, agreed_by, ended_at) ON scheme.recovery TO timecredits_app;
GRANT DELETE ON scheme.vouched TO timecredits_app;
GRANT UPDATE (recipient, body, tries, next_at, sent_at), DELETE ON scheme.letter TO timecredits_app;
GRANT UPDATE (language, large_print, quiet, paused_at, named, milestones, changed_at), DELETE ON scheme.preference
    TO timecredits_app;
