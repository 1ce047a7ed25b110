-- Time Credits: people, groups, projects, venues, offers, keys. Nothing here changes a balance: whatever the journal can
-- tell (awarded, captured, refunded, what somebody has) is read there and never stored a second time.
-- What people give is in hours.sql, what keeps the scheme running in running.sql.
--
-- Times are timestamptz; minutes are integers; 60 minutes are one Time Credit. Every constraint is named, for code
-- matches names and never messages.

COMMENT ON SCHEMA scheme IS 'Time Credits: who gave, who offers, who redeems; balances are the journal''s';

-- The chart of accounts, as ledger/scheme/chart.py has it; a test holds them equal.
INSERT INTO journal.kind (name, floor) VALUES
    ('issued', NULL),     -- :project   hours recognised, which are credits created
    ('opening', NULL),    -- :source    imported balances, old paper notes
    ('goodwill', NULL),   -- :reason    what the scheme bears
    ('allocation', 0),    -- :project   what a project may still give, where a funder caps it
    ('cap', NULL),        -- :project   what the caps came to: the other side of allocation, never credits
    ('wallet', 0),        -- :holder    available to a person
    ('held', 0),          -- :holder    authorised, not yet captured
    ('pot', 0),           -- :group     a group's credits, or the community's
    ('held_pot', 0),      -- :group     those on hold
    ('transit', 0),       --            gifts offered, not yet accepted
    ('paper', 0),         -- :batch     bearer vouchers outstanding
    -- Places, below zero by as many as are taken: each use brings the quota that it may go down to.
    ('allowance', NULL),  -- :offer:period, :occasion
    ('held_allowance', 0), -- :offer, :occasion  on hold
    ('honoured', 0),      -- :offer, :occasion  visited
    -- What one person, card or giver has used of a limit, likewise; a phone pass is used once.
    ('limit', NULL),      -- :what:period
    ('held_limit', 0),    -- :what      on hold
    ('counted', 0),       --            used
    ('redeemed', 0),      -- :venue     honoured by the venue
    ('expired', 0),       --            lapsed
    ('surrendered', 0);   --            closed, with nothing donated

-- A person is erasable: the row can go, and the holder that the journal knows stays, closed and belonging to nobody.
CREATE TABLE scheme.person (
    id         uuid        NOT NULL,
    name       text        NOT NULL, -- to be called by; the only thing a person must give
    age_band   text,                 -- where they told: a birth date is never asked
    created_at timestamptz NOT NULL,
    CONSTRAINT person_pkey PRIMARY KEY (id),
    CONSTRAINT person_name_is_bounded CHECK (char_length(name) BETWEEN 1 AND 200),
    CONSTRAINT person_age_band_is_known CHECK (age_band IN ('under_8', '8_to_15', '16_to_17', '18_and_over'))
);
CREATE INDEX person_name ON scheme.person (lower(name) text_pattern_ops, id);

-- What a name is found by: itself from each of its words on, in lower case. "Ann Mary O'Lee" is found by "ann m", by
-- "mary" and by "lee". It follows the name by itself and goes with the person.
CREATE TABLE scheme.name_part (
    part   text COLLATE "C" NOT NULL,
    person uuid             NOT NULL,
    CONSTRAINT name_part_pkey PRIMARY KEY (part, person),
    CONSTRAINT name_part_person_fkey FOREIGN KEY (person) REFERENCES scheme.person ON DELETE CASCADE
);
CREATE INDEX name_part_person ON scheme.name_part (person);

CREATE FUNCTION scheme.parts_of(name text) RETURNS SETOF text LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT substr(lower(name), at) FROM generate_series(1, char_length(name)) at
    WHERE at = 1 OR substr(name, at - 1, 2) ~ '^[^[:alnum:]][[:alnum:]]'
$$;

CREATE FUNCTION scheme.part_name() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM scheme.name_part WHERE person = NEW.id;
    END IF;
    INSERT INTO scheme.name_part (part, person) SELECT DISTINCT part, NEW.id FROM scheme.parts_of(NEW.name) part;
    RETURN NULL;
END
$$;
CREATE TRIGGER person_is_found_by_name AFTER INSERT OR UPDATE OF name ON scheme.person
    FOR EACH ROW EXECUTE FUNCTION scheme.part_name();
ALTER TABLE scheme.person ENABLE ALWAYS TRIGGER person_is_found_by_name;

CREATE TABLE scheme.holder (
    id        uuid NOT NULL, -- random: it tells nothing of the person
    person    uuid,
    closed_at timestamptz,   -- erased: nothing is posted to it any more
    CONSTRAINT holder_pkey PRIMARY KEY (id),
    CONSTRAINT holder_person_key UNIQUE (person),
    CONSTRAINT holder_person_fkey FOREIGN KEY (person) REFERENCES scheme.person ON DELETE SET NULL,
    CONSTRAINT holder_closed_is_nobodys CHECK (closed_at IS NULL OR person IS NULL)
);
CREATE INDEX holder_ending ON scheme.holder (right(id::text, 8)); -- what the audit shows of a number

-- How somebody may be reached, all of it optional. It goes 24 months after it was last used (rule 28).
CREATE TABLE scheme.contact (
    person     uuid        NOT NULL,
    email      text,
    phone      text,
    address    text,
    channel    text,                 -- how they would like to be reached
    safe       boolean,              -- whether it is safe to contact them there: NULL is not known, so ask first
    changed_at timestamptz NOT NULL,
    used_at    timestamptz NOT NULL,
    CONSTRAINT contact_pkey PRIMARY KEY (person),
    CONSTRAINT contact_person_fkey FOREIGN KEY (person) REFERENCES scheme.person ON DELETE CASCADE,
    CONSTRAINT contact_email_is_bounded CHECK (char_length(email) BETWEEN 3 AND 254),
    CONSTRAINT contact_phone_is_bounded CHECK (char_length(phone) BETWEEN 3 AND 40),
    CONSTRAINT contact_address_is_bounded CHECK (char_length(address) BETWEEN 1 AND 500),
    CONSTRAINT contact_channel_is_known CHECK (channel IN ('email', 'text', 'phone', 'post', 'in_person'))
);
CREATE INDEX contact_used_at ON scheme.contact (used_at);
CREATE INDEX contact_email ON scheme.contact (lower(email)); -- whoever asks for a link to sign in tells it

-- A helper acts for one person, in what they may, until it ends. What they do is in `act`.
CREATE TABLE scheme.helping (
    id       uuid        NOT NULL,
    helped   uuid        NOT NULL, -- a person
    helper   uuid        NOT NULL, -- another
    may      text[]      NOT NULL,
    began_at timestamptz NOT NULL,
    began_by uuid        NOT NULL, -- who granted it, as `identity` in keys.py has them
    ended_at timestamptz,
    ended_by uuid,
    CONSTRAINT helping_pkey PRIMARY KEY (id),
    CONSTRAINT helping_helped_fkey FOREIGN KEY (helped) REFERENCES scheme.person ON DELETE CASCADE,
    CONSTRAINT helping_helper_fkey FOREIGN KEY (helper) REFERENCES scheme.person ON DELETE CASCADE,
    CONSTRAINT helping_another CHECK (helped <> helper),
    CONSTRAINT helping_may_something CHECK (cardinality(may) > 0 AND may <@ ARRAY['balance', 'claim', 'book']),
    CONSTRAINT helping_ends_once CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
CREATE UNIQUE INDEX helping_live ON scheme.helping (helped, helper) WHERE ended_at IS NULL;
CREATE INDEX helping_helper ON scheme.helping (helper);
-- Copies and erasure look for those that ended too.
CREATE INDEX helping_helped ON scheme.helping (helped);

-- A group: its members share a pot.
CREATE TABLE scheme.group (
    id         uuid        NOT NULL,
    name       text        NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT group_pkey PRIMARY KEY (id),
    CONSTRAINT group_name_is_bounded CHECK (char_length(name) BETWEEN 1 AND 200)
);

CREATE TABLE scheme.membership (
    "group"   uuid        NOT NULL,
    person    uuid        NOT NULL,
    keyholder boolean     NOT NULL, -- may spend from the pot
    joined_at timestamptz NOT NULL,
    wanted    boolean,              -- whether they are to be a keyholder, which waits for a second person
    wanted_by uuid,                 -- a holder
    wanted_at timestamptz,
    CONSTRAINT membership_wants_a_change CHECK (wanted <> keyholder),
    CONSTRAINT membership_wish_is_whole CHECK (num_nulls(wanted, wanted_by, wanted_at) IN (0, 3)),
    CONSTRAINT membership_wanted_by_fkey FOREIGN KEY (wanted_by) REFERENCES scheme.holder,
    CONSTRAINT membership_pkey PRIMARY KEY ("group", person),
    CONSTRAINT membership_group_fkey FOREIGN KEY ("group") REFERENCES scheme.group,
    CONSTRAINT membership_person_fkey FOREIGN KEY (person) REFERENCES scheme.person ON DELETE CASCADE
);
CREATE INDEX membership_person ON scheme.membership (person);
CREATE INDEX membership_wanted_by ON scheme.membership (wanted_by) WHERE wanted_by IS NOT NULL;

CREATE TABLE scheme.project (
    id         uuid        NOT NULL,
    name       text        NOT NULL,
    alias      text        NOT NULL, -- what slips and statements say: never what the project is about
    status     text        NOT NULL,
    sensitive  boolean     NOT NULL DEFAULT false, -- that somebody volunteers there tells something: reads are acts
    created_at timestamptz NOT NULL,
    CONSTRAINT project_pkey PRIMARY KEY (id),
    CONSTRAINT project_name_is_bounded CHECK (char_length(name) BETWEEN 1 AND 200),
    CONSTRAINT project_alias_is_bounded CHECK (char_length(alias) BETWEEN 1 AND 200),
    CONSTRAINT project_status_is_known CHECK (status IN ('applied', 'active', 'suspended', 'ended'))
);

CREATE TABLE scheme.venue (
    id           uuid        NOT NULL,
    name         text        NOT NULL,
    status       text        NOT NULL,
    created_at   timestamptz NOT NULL,
    locked_until timestamptz, -- too many wrong codes at its tills: none is looked at until then
    CONSTRAINT venue_pkey PRIMARY KEY (id),
    CONSTRAINT venue_name_is_bounded CHECK (char_length(name) BETWEEN 1 AND 200),
    CONSTRAINT venue_status_is_known CHECK (status IN ('applied', 'active', 'suspended', 'ended'))
);

-- Where a venue is: an offer is given at one of its sites or at all of them.
CREATE TABLE scheme.site (
    id         uuid        NOT NULL,
    venue      uuid        NOT NULL,
    name       text        NOT NULL,
    address    text        NOT NULL,
    postcode   text,                 -- "CB4 1DQ"; its first half is a district
    latitude   double precision,     -- where it is known better than by its district
    longitude  double precision,
    step_free  boolean,              -- NULL: nobody has said
    created_at timestamptz NOT NULL,
    closed_at  timestamptz,
    CONSTRAINT site_pkey PRIMARY KEY (id),
    CONSTRAINT site_venue_fkey FOREIGN KEY (venue) REFERENCES scheme.venue,
    CONSTRAINT site_name_is_bounded CHECK (char_length(name) BETWEEN 1 AND 200),
    CONSTRAINT site_address_is_bounded CHECK (char_length(address) <= 500),
    CONSTRAINT site_postcode_is_one CHECK (postcode ~ '^[A-Z]{1,2}[0-9][0-9A-Z]? [0-9][A-Z]{2}$'),
    CONSTRAINT site_is_in_the_kingdom CHECK (latitude BETWEEN 49 AND 61 AND longitude BETWEEN -9 AND 2),
    CONSTRAINT site_has_both_or_none CHECK ((latitude IS NULL) = (longitude IS NULL))
);
CREATE INDEX site_venue ON scheme.site (venue);

-- A venue's till or a project's kiosk. It is enrolled with a code that is shown to it, and gets a key or a sign-in.
CREATE TABLE scheme.device (
    id           uuid        NOT NULL,
    venue        uuid,                 -- a till's
    site         uuid,
    project      uuid,                 -- a kiosk's
    name         text        NOT NULL,
    status       text        NOT NULL,
    created_at   timestamptz NOT NULL,
    created_by   uuid        NOT NULL, -- an identity
    code_hash    bytea,                -- of the enrolment code, until it was used
    code_until   timestamptz,
    enrolled_at  timestamptz,
    locked_until timestamptz,          -- too many wrong codes: none is looked at until then
    revoked_at   timestamptz,
    CONSTRAINT device_pkey PRIMARY KEY (id),
    CONSTRAINT device_code_key UNIQUE (code_hash),
    CONSTRAINT device_venue_fkey FOREIGN KEY (venue) REFERENCES scheme.venue,
    CONSTRAINT device_project_fkey FOREIGN KEY (project) REFERENCES scheme.project,
    CONSTRAINT device_is_a_till_or_a_kiosk CHECK ((venue IS NULL) <> (project IS NULL) AND (site IS NULL OR venue IS NOT NULL)),
    CONSTRAINT device_site_fkey FOREIGN KEY (site) REFERENCES scheme.site,
    CONSTRAINT device_name_is_bounded CHECK (char_length(name) BETWEEN 1 AND 200),
    CONSTRAINT device_status_is_known CHECK (status IN ('expected', 'active', 'revoked')),
    CONSTRAINT device_has_a_code_while_expected CHECK ((status = 'expected') = (code_hash IS NOT NULL)),
    CONSTRAINT device_code_ends CHECK ((code_hash IS NULL) = (code_until IS NULL)),
    CONSTRAINT device_revoked_at_says_so CHECK ((status = 'revoked') = (revoked_at IS NOT NULL))
);
CREATE INDEX device_ending ON scheme.device (right(id::text, 8));
CREATE INDEX device_locked ON scheme.device (locked_until) WHERE locked_until IS NOT NULL;
CREATE INDEX device_venue ON scheme.device (venue) WHERE venue IS NOT NULL;
CREATE INDEX device_project ON scheme.device (project) WHERE project IS NOT NULL;
CREATE INDEX device_created_by ON scheme.device (created_by) WHERE revoked_at IS NULL;

-- A key's scope is named and not only implied by its columns, so that a forgotten project can't make a key to everything.
CREATE TABLE scheme.api_key (
    id          uuid        NOT NULL,
    secret_hash bytea       NOT NULL, -- SHA-256; the secret has 256 random bits, so no slow hash is needed
    scope       text        NOT NULL,
    project     uuid,
    venue       uuid,
    device      uuid,                 -- a venue's key is that of one of its tills
    holder      uuid,                 -- whose key it is: who acts when it is used, where that is a person
    label       text        NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    revoked_at  timestamptz,
    CONSTRAINT api_key_pkey PRIMARY KEY (id),
    CONSTRAINT api_key_project_fkey FOREIGN KEY (project) REFERENCES scheme.project,
    CONSTRAINT api_key_venue_fkey FOREIGN KEY (venue) REFERENCES scheme.venue,
    CONSTRAINT api_key_device_fkey FOREIGN KEY (device) REFERENCES scheme.device,
    CONSTRAINT api_key_holder_fkey FOREIGN KEY (holder) REFERENCES scheme.holder,
    CONSTRAINT api_key_hash_is_whole CHECK (octet_length(secret_hash) = 32),
    CONSTRAINT api_key_scope_is_known CHECK (scope IN ('person', 'project', 'venue', 'scheme', 'auditor')),
    CONSTRAINT api_key_scope_names_its_object CHECK (
        (scope = 'project') = (project IS NOT NULL) AND (scope = 'venue') = (venue IS NOT NULL)
        AND (scope = 'venue') = (device IS NOT NULL)
        AND (scope <> 'person' OR holder IS NOT NULL)
    ),
    CONSTRAINT api_key_label_is_bounded CHECK (char_length(label) BETWEEN 1 AND 200),
    CONSTRAINT api_key_expires_after_creation CHECK (expires_at > created_at)
);
CREATE INDEX api_key_ending ON scheme.api_key (right(id::text, 8));
CREATE INDEX api_key_device ON scheme.api_key (device) WHERE device IS NOT NULL;
-- Copies and erasure look for somebody's keys; a till's are nobody's.
CREATE INDEX api_key_holder ON scheme.api_key (holder) WHERE holder IS NOT NULL;

-- What was answered under a client's key, where the rows are the scheme's own. Kept for ever, as the journal keeps its
-- entries' ids: a client that was offline for a month may still retry.
CREATE TABLE scheme.answer (
    principal   uuid        NOT NULL,
    key         text        NOT NULL,
    operation   text        NOT NULL,
    recorded_at timestamptz NOT NULL,
    salt        bytea       NOT NULL,
    digest      bytea       NOT NULL, -- SHA-256(salt || the request), so that another request is known as another
    refusal     text,                 -- the reason, if the answer was no
    body        text        NOT NULL, -- what was answered
    CONSTRAINT answer_pkey PRIMARY KEY (principal, key),
    CONSTRAINT answer_key_is_bounded CHECK (octet_length(key) BETWEEN 1 AND 255),
    CONSTRAINT answer_operation_is_a_word CHECK (operation ~ '^[a-z][a-z_]{0,47}$'),
    CONSTRAINT answer_refusal_is_a_word CHECK (refusal ~ '^[a-z][a-z_]{0,47}$'),
    CONSTRAINT answer_hashes CHECK (octet_length(salt) = 16 AND octet_length(digest) = 32),
    CONSTRAINT answer_body_is_bounded CHECK (octet_length(body) <= 2097152)
);

-- What every process keeps in memory of keys, devices, venues, offers and rules is true as long as this version stands.
CREATE TABLE scheme.directory (
    singleton     boolean NOT NULL DEFAULT true,
    version       bigint  NOT NULL,
    secret    bytea   NOT NULL, -- signs cursors and makes voucher codes, for all processes alike
    CONSTRAINT directory_pkey PRIMARY KEY (singleton),
    CONSTRAINT directory_is_one_row CHECK (singleton),
    CONSTRAINT directory_secret_is_long CHECK (octet_length(secret) = 32)
);
INSERT INTO scheme.directory (version, secret)
    VALUES (1, uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

CREATE FUNCTION scheme.bump_directory() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE scheme.directory SET version = version + 1;
    RETURN NULL;
END
$$;

-- Not for INSERT: only what exists is kept in memory, so a new row hides behind nothing.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['api_key', 'device', 'project', 'venue'] LOOP
        EXECUTE format(
            'CREATE TRIGGER %1$s_is_in_the_directory AFTER UPDATE OR DELETE OR TRUNCATE ON scheme.%1$s '
            'FOR EACH STATEMENT EXECUTE FUNCTION scheme.bump_directory()', name);
        EXECUTE format('ALTER TABLE scheme.%1$s ENABLE ALWAYS TRIGGER %1$s_is_in_the_directory', name);
    END LOOP;
END
$$;

-- What was answered only grows; the rest changes column by column. DELETE serves erasure and retention.
GRANT SELECT, INSERT ON scheme.person, scheme.holder, scheme.contact, scheme.helping, scheme.group, scheme.membership,
    scheme.project, scheme.venue, scheme.site, scheme.device, scheme.api_key, scheme.answer TO timecredits_app;
GRANT UPDATE (name, age_band), DELETE ON scheme.person TO timecredits_app;
GRANT SELECT, INSERT, DELETE ON scheme.name_part TO timecredits_app;
GRANT EXECUTE ON FUNCTION scheme.parts_of TO timecredits_app;
GRANT UPDATE (person, closed_at) ON scheme.holder TO timecredits_app;
GRANT UPDATE (email, phone, address, channel, safe, changed_at, used_at), DELETE ON scheme.contact TO timecredits_app;
GRANT UPDATE (ended_at, ended_by) ON scheme.helping TO timecredits_app;
GRANT UPDATE (name) ON scheme.group TO timecredits_app;
GRANT UPDATE (keyholder, wanted, wanted_by, wanted_at), DELETE ON scheme.membership TO timecredits_app;
GRANT UPDATE (name, alias, status, sensitive) ON scheme.project TO timecredits_app;
GRANT UPDATE (name, status, locked_until) ON scheme.venue TO timecredits_app;
GRANT UPDATE (name, address, postcode, latitude, longitude, step_free, closed_at) ON scheme.site TO timecredits_app;
GRANT UPDATE (name, site, status, code_hash, code_until, enrolled_at, locked_until, revoked_at) ON scheme.device
    TO timecredits_app;
GRANT UPDATE (revoked_at, label) ON scheme.api_key TO timecredits_app;
GRANT SELECT, UPDATE (version) ON scheme.directory TO timecredits_app;
