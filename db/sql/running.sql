-- What keeps the scheme running: its rules, what is to be told to whom, work that comes round, and who acted for whom.

-- Every version of the scheme's rules; the newest is in force. Only what differs from the default is kept.
CREATE TABLE scheme.rules (
    version    integer     NOT NULL,
    changed_at timestamptz NOT NULL,
    by         uuid,                 -- NULL: the first, which nobody made
    changes    text        NOT NULL, -- JSON, by name
    CONSTRAINT rules_pkey PRIMARY KEY (version),
    CONSTRAINT rules_version_is_positive CHECK (version > 0),
    CONSTRAINT rules_are_bounded CHECK (octet_length(changes) <= 16384)
);
INSERT INTO scheme.rules (version, changed_at, changes) VALUES (1, now(), '{}');

-- Whatever a person or a system may wait for, in the transaction that made it so. Ids and figures only: who delivers it
-- reads the names then, so that nothing here outlives an erasure.
CREATE TABLE scheme.outbox (
    id           uuid        NOT NULL,
    at           timestamptz NOT NULL,
    topic        text        NOT NULL,
    holder       uuid,                 -- whom it concerns
    project      uuid,
    object       uuid,                 -- the claim, consent, session ... that it is about
    body         text        NOT NULL, -- JSON
    delivered_at timestamptz,
    CONSTRAINT outbox_pkey PRIMARY KEY (id),
    CONSTRAINT outbox_topic_is_a_word CHECK (topic ~ '^[a-z][a-z_]{0,47}$'),
    CONSTRAINT outbox_body_is_bounded CHECK (octet_length(body) <= 4096)
);
CREATE INDEX outbox_waiting ON scheme.outbox (at, id) WHERE delivered_at IS NULL;
CREATE INDEX outbox_at ON scheme.outbox (at, id);
CREATE INDEX outbox_holder ON scheme.outbox (holder);

-- Work that comes round. Its row is locked while it runs, so that it runs once however many processes there are.
CREATE TABLE scheme.work (
    name       text        NOT NULL,
    done_until timestamptz NOT NULL, -- all that fell due up to then is done
    ran_at     timestamptz,          -- the last run that ended well
    failed_at  timestamptz,          -- the last that didn't
    CONSTRAINT work_pkey PRIMARY KEY (name),
    CONSTRAINT work_name_is_a_word CHECK (name ~ '^[a-z][a-z_]{0,47}$')
);

-- The daily look at whose credits end (ledger/scheme/expiry.py): the day that it is for, the one that the look before was
-- for, and how far it has come.
CREATE TABLE scheme.expiry (
    singleton boolean NOT NULL DEFAULT true,
    day       date,   -- NULL: there was none yet
    before    date,
    reached   uuid,   -- the last holder so far; NULL: all
    CONSTRAINT expiry_pkey PRIMARY KEY (singleton),
    CONSTRAINT expiry_is_one_row CHECK (singleton),
    CONSTRAINT expiry_goes_forward CHECK (before < day),
    CONSTRAINT expiry_reaches_on_a_day CHECK (reached IS NULL OR day IS NOT NULL)
);
INSERT INTO scheme.expiry DEFAULT VALUES;

-- Who did what for or about whom: helpers' acts and staff's.
CREATE TABLE scheme.act (
    id     uuid        NOT NULL,
    at     timestamptz NOT NULL,
    by     uuid        NOT NULL, -- an identity
    key    uuid        NOT NULL, -- the API key or the sign-in
    scope  text        NOT NULL, -- as what
    holder uuid,                 -- whom it concerned, if anybody
    verb   text        NOT NULL,
    object uuid,
    CONSTRAINT act_pkey PRIMARY KEY (id),
    CONSTRAINT act_verb_is_a_word CHECK (verb ~ '^[a-z][a-z_]{0,47}$'),
    CONSTRAINT act_scope_is_known CHECK (scope IN ('person', 'project', 'venue', 'scheme', 'auditor'))
);
CREATE INDEX act_at ON scheme.act (at, id);
CREATE INDEX act_verb ON scheme.act (verb, at);
CREATE INDEX act_holder ON scheme.act (holder, at);
CREATE INDEX act_by ON scheme.act (by, at);

GRANT SELECT, INSERT ON scheme.rules, scheme.outbox, scheme.work, scheme.act TO timecredits_app;
GRANT UPDATE (delivered_at), DELETE ON scheme.outbox TO timecredits_app;
GRANT UPDATE (done_until, ran_at, failed_at) ON scheme.work TO timecredits_app;
GRANT SELECT, UPDATE (day, before, reached) ON scheme.expiry TO timecredits_app;
