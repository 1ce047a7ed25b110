-- The journal: append-only, double-entry, gapless.
--
-- Every change of a balance goes through `write` in ledger/journal/posting.py; this file is the second assertion of
-- what the judge proved there. Positions come from `head`, the one row that every writer locks, so they are
-- gapless and equal commit order.
--
-- Times are microseconds in UTC; minutes are integers; 60 minutes are one Time Credit.
-- A "debit" takes minutes away and a "credit" adds them.
--
-- No foreign keys between entry, transfer and account: their row-by-row checks cost a third of the write, and
-- what they would say is said by the one transaction that writes all three, and proved again by
-- `timecredits verify journal`. Every constraint is named, for code matches names and never messages.

CREATE TYPE journal.entry_kind AS ENUM ('plain', 'hold', 'capture', 'void', 'lapse', 'refund', 'reversal');

-- The one row that orders everything: the size of the log, the accounts opened so far, the Merkle frontier. `batch` is
-- the random tag of whatever was written last: the head has moved if it is another than the one that was read.
CREATE TABLE journal.head (
    singleton   boolean     NOT NULL DEFAULT true,
    batch       uuid        NOT NULL,
    position    bigint      NOT NULL,
    accounts    bigint      NOT NULL,
    recorded_at timestamptz NOT NULL,
    frontier    bytea       NOT NULL,
    CONSTRAINT head_pkey PRIMARY KEY (singleton),
    CONSTRAINT head_is_one_row CHECK (singleton),
    CONSTRAINT head_counts CHECK (position >= 0 AND accounts >= 0),
    CONSTRAINT head_frontier_is_whole_hashes CHECK (octet_length(frontier) % 32 = 0 AND octet_length(frontier) <= 63 * 32)
) WITH (fillfactor = 10);
INSERT INTO journal.head (batch, position, accounts, recorded_at, frontier) VALUES (gen_random_uuid(), 0, 0, 'epoch', '');

-- The chart of accounts, with the control account of each kind: the sum of its accounts' balances.
CREATE TABLE journal.kind (
    name    text   NOT NULL,
    floor   bigint,
    balance bigint NOT NULL DEFAULT 0,
    CONSTRAINT kind_pkey PRIMARY KEY (name),
    CONSTRAINT kind_name_is_a_word CHECK (name ~ '^[a-z][a-z_]{0,31}$'),
    CONSTRAINT kind_respects_floor CHECK (floor IS NULL OR floor <> 0 OR balance >= 0)
) WITH (fillfactor = 25);

-- One account: `name` is its kind, or kind:owner. Its balance stands in its newest transfer (see the view `balance`), so
-- nothing is stored twice and nothing here is ever changed.
CREATE TABLE journal.account (
    id    bigint NOT NULL,
    floor bigint,
    name  text   NOT NULL,
    CONSTRAINT account_pkey PRIMARY KEY (id),
    CONSTRAINT account_name_key UNIQUE (name),
    CONSTRAINT account_id_is_positive CHECK (id > 0)
);

-- An entry: all of its transfers or none. `target` is the position of what it resolves, refunds or reverses.
CREATE TABLE journal.entry (
    position    bigint             NOT NULL,
    target      bigint,
    happened_at timestamptz        NOT NULL,
    recorded_at timestamptz        NOT NULL,
    id          uuid               NOT NULL,
    actor       uuid               NOT NULL,
    kind        journal.entry_kind NOT NULL,
    nonce       bytea              NOT NULL,
    leaf        bytea              NOT NULL,
    commitment  bytea,
    reference   text,
    CONSTRAINT entry_pkey PRIMARY KEY (position),
    CONSTRAINT entry_id_key UNIQUE (id),
    CONSTRAINT entry_position_is_positive CHECK (position > 0),
    CONSTRAINT entry_target_is_earlier CHECK (target < position),
    CONSTRAINT entry_target_fits_kind CHECK ((target IS NULL) = (kind IN ('plain', 'hold'))),
    CONSTRAINT entry_hashes CHECK (octet_length(nonce) = 16 AND octet_length(leaf) = 32),
    CONSTRAINT entry_commitment_is_a_hash CHECK (octet_length(commitment) = 32),
    CONSTRAINT entry_reference_is_short CHECK (octet_length(reference) <= 64)
);
-- A hold is resolved once, a reversal happens once: whatever the judge thinks.
CREATE UNIQUE INDEX entry_resolves_once ON journal.entry (target) WHERE kind IN ('capture', 'void', 'lapse');
CREATE UNIQUE INDEX entry_reverses_once ON journal.entry (target) WHERE kind = 'reversal';
CREATE INDEX entry_refunds ON journal.entry (target) WHERE kind = 'refund';

-- A transfer is a debit account, a credit account and minutes > 0, so an imbalance can't be written. Each keeps both
-- accounts' sequence and balance after it: balances, now and as of any moment, and statements are index reads. The
-- floor of the debited account stands in the row, so that the database itself refuses to cross it, at every position.
CREATE TABLE journal.transfer (
    position        bigint   NOT NULL,
    debit           bigint   NOT NULL,
    credit          bigint   NOT NULL,
    minutes         bigint   NOT NULL,
    debit_sequence  bigint   NOT NULL,
    debit_balance   bigint   NOT NULL,
    credit_sequence bigint   NOT NULL,
    credit_balance  bigint   NOT NULL,
    debit_floor     bigint,
    line            smallint NOT NULL,
    CONSTRAINT transfer_pkey PRIMARY KEY (position, line),
    CONSTRAINT transfer_debit_sequence_key UNIQUE (debit, debit_sequence),
    CONSTRAINT transfer_credit_sequence_key UNIQUE (credit, credit_sequence),
    CONSTRAINT transfer_moves_minutes CHECK (minutes > 0),
    CONSTRAINT transfer_between_two_accounts CHECK (debit <> credit),
    CONSTRAINT transfer_respects_floor CHECK (debit_balance >= debit_floor),
    CONSTRAINT transfer_counts CHECK (line >= 0 AND debit_sequence > 0 AND credit_sequence > 0)
);

-- What was asked, in the asker's words: with `refusal_detail` the only table here from which erasure may delete. The entry keeps a salted
-- commitment; the salt stands here and goes with the text, so nothing in the log can be guessed back.
CREATE TABLE journal.detail (
    position bigint NOT NULL,
    salt     bytea  NOT NULL,
    body     text   NOT NULL,
    CONSTRAINT detail_pkey PRIMARY KEY (position),
    CONSTRAINT detail_salt_is_whole CHECK (octet_length(salt) = 16),
    CONSTRAINT detail_is_bounded CHECK (octet_length(body) <= 4096)
);

-- "No" stays "no": what was refused by a rule, so that a late retry hears the same.
CREATE TABLE journal.refusal (
    recorded_at timestamptz NOT NULL,
    id          uuid        NOT NULL,
    commitment  bytea       NOT NULL,
    reason      text        NOT NULL,
    account     text,
    CONSTRAINT refusal_pkey PRIMARY KEY (id),
    CONSTRAINT refusal_commitment_is_a_hash CHECK (octet_length(commitment) = 32),
    CONSTRAINT refusal_reason_is_a_word CHECK (reason ~ '^[a-z][a-z_]{0,47}$')
);

-- What was asked in vain: erasable, like `detail`, and apart for the same reason. Without its row the refusal stands,
-- and the same key hears it whatever else is asked.
CREATE TABLE journal.refusal_detail (
    id   uuid  NOT NULL,
    salt bytea NOT NULL,
    body text  NOT NULL,
    CONSTRAINT refusal_detail_pkey PRIMARY KEY (id),
    CONSTRAINT refusal_detail_salt_is_whole CHECK (octet_length(salt) = 16),
    CONSTRAINT refusal_detail_is_bounded CHECK (octet_length(body) <= 4096)
);

-- Roots of the full subtrees of 256, 65,536, 16,777,216 ... leaves: a proof reads at most 256 rows a level.
CREATE TABLE journal.node (
    level smallint NOT NULL,
    index bigint   NOT NULL,
    hash  bytea    NOT NULL,
    CONSTRAINT node_pkey PRIMARY KEY (level, index),
    CONSTRAINT node_is_stored CHECK (level > 0 AND level % 8 = 0 AND index >= 0),
    CONSTRAINT node_is_a_hash CHECK (octet_length(hash) = 32)
);

-- Signed notes (C2SP), each a promise about everything before it.
CREATE TABLE journal.checkpoint (
    size      bigint      NOT NULL,
    signed_at timestamptz NOT NULL,
    note      text        NOT NULL,
    CONSTRAINT checkpoint_pkey PRIMARY KEY (size),
    CONSTRAINT checkpoint_note_is_bounded CHECK (octet_length(note) <= 4096)
);

-- The postings of double entry, as accountants read them: two a transfer, a sum of zero.
CREATE VIEW journal.posting AS
    SELECT position, line, debit AS account, -minutes AS minutes, debit_sequence AS sequence, debit_balance AS balance
    FROM journal.transfer
    UNION ALL
    SELECT position, line, credit, minutes, credit_sequence, credit_balance
    FROM journal.transfer;

-- Each account with its balance and the number of its transfers: what its newest transfer says.
CREATE VIEW journal.balance AS
    SELECT a.id, a.name, a.floor, newest.balance, newest.sequence
    FROM journal.account a
    CROSS JOIN LATERAL (
        (
            SELECT debit_sequence AS sequence, debit_balance AS balance FROM journal.transfer
            WHERE debit = a.id ORDER BY debit_sequence DESC LIMIT 1
        )
        UNION ALL
        (
            SELECT credit_sequence, credit_balance FROM journal.transfer
            WHERE credit = a.id ORDER BY credit_sequence DESC LIMIT 1
        )
        ORDER BY sequence DESC LIMIT 1
    ) newest;

-- What stands is never changed. These triggers hold for the owner too, and for session_replication_role = replica.
CREATE FUNCTION journal.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'journal.% only grows: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation', HINT = 'Correct by adding: post a reversal, a refund or a new entry.',
            SCHEMA = 'journal', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
END
$$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['account', 'entry', 'transfer', 'node', 'refusal', 'checkpoint'] LOOP
        EXECUTE format('CREATE TRIGGER %1$s_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON journal.%1$s
            FOR EACH STATEMENT EXECUTE FUNCTION journal.refuse_change()', name);
        EXECUTE format('ALTER TABLE journal.%1$s ENABLE ALWAYS TRIGGER %1$s_only_grows', name);
    END LOOP;
    -- Of these only totals and counts change, and the counts only forwards.
    FOREACH name IN ARRAY ARRAY['head', 'kind'] LOOP
        EXECUTE format('CREATE TRIGGER %1$s_stays BEFORE DELETE OR TRUNCATE ON journal.%1$s
            FOR EACH STATEMENT EXECUTE FUNCTION journal.refuse_change()', name);
        EXECUTE format('ALTER TABLE journal.%1$s ENABLE ALWAYS TRIGGER %1$s_stays', name);
    END LOOP;
END
$$;

CREATE TRIGGER head_goes_forward BEFORE UPDATE ON journal.head FOR EACH ROW
    WHEN (NEW.position < OLD.position OR NEW.accounts < OLD.accounts OR NEW.recorded_at < OLD.recorded_at)
    EXECUTE FUNCTION journal.refuse_change();
ALTER TABLE journal.head ENABLE ALWAYS TRIGGER head_goes_forward;

CREATE TRIGGER kind_keeps_its_rule BEFORE UPDATE ON journal.kind FOR EACH ROW
    WHEN (NEW.name <> OLD.name OR NEW.floor IS DISTINCT FROM OLD.floor)
    EXECUTE FUNCTION journal.refuse_change();
ALTER TABLE journal.kind ENABLE ALWAYS TRIGGER kind_keeps_its_rule;

-- A hold is resolved to the minute, a reversal undoes the whole, refunds together never exceed what was credited.
-- Deferred, for an entry's transfers come after it; it runs for entries with a target only.
CREATE FUNCTION journal.check_target() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target_kind journal.entry_kind;
    wrong boolean;
BEGIN
    SELECT kind INTO target_kind FROM journal.entry WHERE position = NEW.target;
    IF NEW.kind = 'refund' THEN
        wrong := target_kind NOT IN ('capture', 'plain') OR EXISTS (
            SELECT FROM (
                SELECT t.debit AS account, sum(t.minutes) AS minutes
                FROM journal.entry e JOIN journal.transfer t ON t.position = e.position
                WHERE e.target = NEW.target AND e.kind = 'refund'
                GROUP BY t.debit
            ) taken
            WHERE taken.minutes > coalesce((
                SELECT sum(c.minutes) FROM journal.transfer c
                WHERE c.position = NEW.target AND c.credit = taken.account
            ), 0)
        ) OR EXISTS (SELECT FROM journal.entry WHERE target = NEW.target AND kind = 'reversal');
    ELSE
        wrong := target_kind <> CASE NEW.kind WHEN 'reversal' THEN 'plain' ELSE 'hold' END::journal.entry_kind
            OR EXISTS (
                SELECT FROM (
                    SELECT credit AS account, sum(minutes) AS minutes FROM journal.transfer
                    WHERE position = NEW.target GROUP BY credit
                ) put
                FULL JOIN (
                    SELECT debit AS account, sum(minutes) AS minutes FROM journal.transfer
                    WHERE position = NEW.position GROUP BY debit
                ) taken USING (account)
                WHERE put.minutes IS DISTINCT FROM taken.minutes
            ) OR (
                NEW.kind = 'reversal'
                AND EXISTS (SELECT FROM journal.entry WHERE target = NEW.target AND kind = 'refund')
            );
    END IF;
    IF wrong OR target_kind IS NULL THEN
        RAISE EXCEPTION 'entry % does not fit entry %, its target', NEW.position, NEW.target
            USING ERRCODE = 'check_violation', SCHEMA = 'journal', TABLE = 'entry', CONSTRAINT = 'entry_fits_target';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER entry_fits_target AFTER INSERT ON journal.entry DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.target IS NOT NULL) EXECUTE FUNCTION journal.check_target();
ALTER TABLE journal.entry ENABLE ALWAYS TRIGGER entry_fits_target;

-- The newest position recorded at or before a moment. recorded_at never decreases along positions, so it is found by
-- halving over the primary key: 24 probes in ten million entries, and no index on the times.
CREATE FUNCTION journal.position_at(moment timestamptz) RETURNS bigint
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    low bigint := 0;
    high bigint := (SELECT position FROM journal.head);
    middle bigint;
BEGIN
    WHILE low < high LOOP
        middle := (low + high + 1) / 2;
        IF (SELECT recorded_at FROM journal.entry WHERE position = middle) <= moment THEN
            low := middle;
        ELSE
            high := middle - 1;
        END IF;
    END LOOP;
    RETURN low;
END
$$;

-- The number of an account's transfers up to a position, found the same way: its sequence grows with the position.
CREATE FUNCTION journal.sequence_at(of_account bigint, at_position bigint) RETURNS bigint
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    low bigint := 0;
    high bigint := (SELECT sequence FROM journal.balance WHERE id = of_account);
    middle bigint;
    found_at bigint;
BEGIN
    WHILE low < high LOOP
        middle := (low + high + 1) / 2;
        SELECT position INTO found_at FROM journal.transfer WHERE debit = of_account AND debit_sequence = middle;
        IF NOT FOUND THEN
            SELECT position INTO found_at FROM journal.transfer WHERE credit = of_account AND credit_sequence = middle;
        END IF;
        IF found_at <= at_position THEN
            low := middle;
        ELSE
            high := middle - 1;
        END IF;
    END LOOP;
    RETURN low;
END
$$;

GRANT SELECT ON ALL TABLES IN SCHEMA journal TO timecredits_app;
GRANT INSERT ON journal.entry, journal.transfer, journal.detail, journal.refusal, journal.refusal_detail,
    journal.node, journal.checkpoint,     journal.account TO timecredits_app;
-- Erasure's (ledger/journal/erasing.py).
GRANT DELETE ON journal.detail, journal.refusal_detail TO timecredits_app;
GRANT UPDATE (balance) ON journal.kind TO timecredits_app;
GRANT UPDATE (batch, position, accounts, recorded_at, frontier) ON journal.head TO timecredits_app;
GRANT SELECT ON journal.head, journal.kind, journal.account, journal.entry, journal.transfer, journal.node,
    journal.checkpoint, journal.posting, journal.balance TO timecredits_auditor;
GRANT SELECT ON journal.kind, journal.posting, journal.balance TO timecredits_report;
GRANT EXECUTE ON FUNCTION journal.position_at, journal.sequence_at TO timecredits_app, timecredits_auditor;
