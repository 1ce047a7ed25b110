"""A nation in SQL: tables of the size they have where tens of thousands give, for the plans that are made on them.

60,000 people and 150,000 claims of three years, in the proportions that life has: nearly all is approved and confirmed,
some waits, a little was queried or put right. The rows are written past the service and say nothing but their number:
good to look at plans, and no journal to post to.
"""

import asyncpg

PEOPLE = 60_000
PROJECTS = 300
SESSIONS = 10_000
CLAIMS = 150_000


async def settle(owner: asyncpg.Connection) -> None:
    """Fill a fresh database, as its superuser, and have PostgreSQL count what is in it."""
    async with owner.transaction():
        # Foreign keys hold by the way the rows are made; to look at each would take most of the time.
        await owner.execute("SET LOCAL session_replication_role = replica")
        await owner.execute("SET LOCAL work_mem = '64MB'")
        await owner.execute(_ID)
        await owner.execute(_PEOPLE)
        await owner.execute(_PLACES)
        await owner.execute(_HOURS)
        await owner.execute(_PAPER)
        await owner.execute(_DESKS)
        await owner.execute(_GIFTS)
        await owner.execute(_RUNNING)
        await owner.execute(_WISHES)
        await owner.execute(_JOURNAL)
        await owner.execute(_BOOKINGS)
        await owner.execute("DROP FUNCTION scheme.test_id, scheme.test_key")
    await owner.execute("ANALYZE")


# Some ids are random in life, and others begin with their time.
_ID = """
CREATE FUNCTION scheme.test_id(what text, number bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
    AS $$ SELECT md5(what || number)::uuid $$;
CREATE FUNCTION scheme.test_key(number bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
    AS $$ SELECT lpad(to_hex(number), 32, '0')::uuid $$;
"""
_PEOPLE = f"""
INSERT INTO scheme.person (id, name, age_band, created_at)
SELECT scheme.test_id('person', n), 'Person ' || n,
    CASE n % 20 WHEN 0 THEN '8_to_15' WHEN 1 THEN NULL ELSE '18_and_over' END, now() - n * interval '20 minutes'
FROM generate_series(1, {PEOPLE}) n;
INSERT INTO scheme.holder (id, person)
SELECT scheme.test_id('holder', n), scheme.test_id('person', n) FROM generate_series(1, {PEOPLE}) n;
INSERT INTO scheme.contact (person, email, changed_at, used_at)
SELECT scheme.test_id('person', n), n || '@example.org', now() - interval '2 years', now() - n * interval '15 minutes'
FROM generate_series(1, {PEOPLE}, 2) n;
INSERT INTO scheme.helping (id, helped, helper, may, began_at, began_by, ended_at, ended_by)
SELECT scheme.test_id('helping', n), scheme.test_id('person', n), scheme.test_id('person', n + 30000),
    '{{balance, claim}}', now() - interval '1 year', scheme.test_id('holder', n),
    CASE WHEN n % 4 = 0 THEN now() END, CASE WHEN n % 4 = 0 THEN scheme.test_id('holder', n) END
FROM generate_series(1, 5000) n;
INSERT INTO scheme.guardian (child, guardian, began_at)
SELECT scheme.test_id('person', n), scheme.test_id('person', n + 1), now() - interval '1 year'
FROM generate_series(20, {PEOPLE} - 1, 20) n;
INSERT INTO scheme.consent (id, child, guardian, given_at, given_by, ends_at, lapsed_at)
SELECT scheme.test_id('consent', n + year), scheme.test_id('person', n), scheme.test_id('person', n + 1), given_at,
    scheme.test_id('holder', n + 1), given_at + interval '1 year',
    CASE WHEN year > 0 THEN given_at + interval '1 year' END
FROM generate_series(20, {PEOPLE} - 1, 20) n, generate_series(0, 4) year,
LATERAL (SELECT now() - year * interval '1 year' - n * interval '9 minutes' AS given_at) t;
INSERT INTO scheme.group (id, name, created_at)
SELECT scheme.test_id('group', n), 'Group ' || n, now() - n * interval '1 day' FROM generate_series(1, 1000) n;
INSERT INTO scheme.membership ("group", person, keyholder, joined_at)
SELECT scheme.test_id('group', n % 1000 + 1), scheme.test_id('person', n), n < 2000, now()
FROM generate_series(1, 20000) n;
INSERT INTO scheme.api_key (id, secret_hash, scope, holder, label, created_at, expires_at)
SELECT scheme.test_id('key', n), sha256(n::text::bytea), 'person', scheme.test_id('holder', n), 'a telephone', now(),
    now() + interval '1 year'
FROM generate_series(1, {PEOPLE}, 2) n;
"""
_PLACES = f"""
INSERT INTO scheme.project (id, name, alias, status, created_at)
SELECT scheme.test_id('project', n), 'Project ' || n, 'Alias ' || n, 'active', now()
FROM generate_series(1, {PROJECTS}) n;
INSERT INTO scheme.venue (id, name, status, created_at)
SELECT scheme.test_id('venue', n), 'Venue ' || n, 'active', now() FROM generate_series(1, 1500) n;
INSERT INTO scheme.district (name, latitude, longitude)
SELECT chr(65 + n / 100 % 26) || chr(65 + n / 2600) || n % 100, 50 + n % 80 * 0.1, -5 + n % 70 * 0.1
FROM generate_series(0, 2999) n;
INSERT INTO scheme.site (id, venue, name, address, postcode, step_free, created_at)
SELECT scheme.test_id('site', n), scheme.test_id('venue', n % 1500 + 1), 'Site ' || n, '',
    chr(65 + n / 100 % 26) || chr(65 + n / 2600) || n % 100 || ' 1AA', n % 3 = 0, now()
FROM generate_series(0, 2999) n;
INSERT INTO scheme.offer (id, venue, kind, reach, title, description, expect, price, terms, status, created_at,
    changed_at)
SELECT scheme.test_id('offer', n), scheme.test_id('venue', n % 1500 + 1), CASE WHEN n % 5 = 0 THEN 'show' ELSE 'drop_in'
    END, CASE WHEN n % 20 = 0 THEN 'national' WHEN n % 4 = 0 THEN 'county' ELSE 'local' END, 'Offer ' || n,
    repeat('An hour in the big pool. ', 10), '', 60, '{{"windows":[{{"days":["mon","tue","wed"],"opens":"09:00",'
        '"closes":"17:00"}},{{"days":["sat"],"opens":"10:00","closes":"16:00"}}],"closed":["2026-12-25"],"quota":40}}',
    CASE WHEN n > 5000 THEN 'ended' ELSE 'published' END, now(), now()
FROM generate_series(1, 8000) n;
INSERT INTO scheme.occasion (id, offer, starts_at, ends_at, places)
SELECT scheme.test_id('occasion', n), scheme.test_id('offer', n % 1000 * 5 + 5), begins, begins + interval '2 hours', 40
FROM generate_series(1, 100000) n, LATERAL (SELECT now() + (n - 90000) * interval '15 minutes' AS begins) t;
INSERT INTO scheme.eligible (person, word, given_at, given_by)
SELECT scheme.test_id('person', n), 'gym_induction', now(), scheme.test_id('holder', 1) FROM generate_series(1, 9000) n;
INSERT INTO scheme.opportunity (id, project, title, description, kind, status, district, tags, prerequisites,
    joining_pence, donation_note, referral, places, created_at, changed_at)
SELECT scheme.test_id('opportunity', n), scheme.test_id('project', n % {PROJECTS} + 1), 'Opportunity ' || n, '',
    'weekly', CASE WHEN n % 5 = 0 THEN 'published' ELSE 'ended' END, 'CB' || n % 9 + 1, '{{outdoors}}', '', 0, '',
    'none', 30, now(), now()
FROM generate_series(1, 10000) n;
INSERT INTO scheme.session (id, project, opportunity, started_at, ended_at, created_at, by)
SELECT scheme.test_id('session', n), scheme.test_id('project', n % {PROJECTS} + 1),
    CASE WHEN n % 2 = 0 THEN scheme.test_id('opportunity', n % 10000 + 1) END,
    began, began + interval '3 hours', began, scheme.test_id('key', n % {PROJECTS})
FROM generate_series(1, {SESSIONS}) n, LATERAL (SELECT now() - ({SESSIONS} - n) * interval '156 minutes' AS began) t;
INSERT INTO scheme.allocation (id, project, funder, minutes, by, at)
SELECT scheme.test_id('allocation', n), scheme.test_id('project', n % {PROJECTS} + 1), 'A funder', 60000,
    scheme.test_id('holder', n), now()
FROM generate_series(1, 1000) n;
"""
# The claims of a session follow each other; of its fifteen people each is another.
_HOURS = f"""
INSERT INTO scheme.claim (id, project, session, holder, started_at, ended_at, day, minutes, source, state, exceptions,
    second_needed, rules, by, created_at, changed_at, approver, approved_at)
SELECT scheme.test_key(n), s.project, CASE WHEN n % 10 > 0 THEN s.id END,
    CASE WHEN n % 31 > 0 OR n % 10 = 0 THEN scheme.test_id('holder', (n * 7) % {PEOPLE} + 1) END,
    s.started_at, s.ended_at, (s.started_at AT TIME ZONE 'Europe/London')::date, 60,
    CASE n % 10 WHEN 0 THEN 'claim' WHEN 1 THEN 'attendance' ELSE 'register' END, state,
    CASE WHEN state = 'submitted' THEN '{{above_daily_cap}}' ELSE '{{}}' END::text[], false, 1, s.by,
    s.started_at, s.started_at, CASE WHEN state = 'approved' THEN s.by END, CASE WHEN state = 'approved' THEN now() END
FROM generate_series(1, {CLAIMS}) n
JOIN scheme.session s ON s.id = scheme.test_id('session', (n - 1) / {CLAIMS // SESSIONS} + 1),
LATERAL (SELECT CASE
    WHEN n % 50 = 0 THEN 'submitted' WHEN n % 50 = 10 THEN 'queried' WHEN n % 100 = 20 THEN 'rejected'
    WHEN n % 100 = 70 THEN 'withdrawn' WHEN n % 100 = 30 THEN 'draft' ELSE 'approved'
END AS state) t;
INSERT INTO scheme.attendance (session, holder, state, checked_in_at, minutes, changed_at, by)
SELECT session, holder, CASE WHEN source = 'attendance' AND state = 'submitted' THEN 'checked_out' ELSE 'confirmed' END,
    started_at, minutes, started_at, by
FROM scheme.claim WHERE session IS NOT NULL AND holder IS NOT NULL;
INSERT INTO scheme.attendance (session, holder, state, checked_in_at, changed_at, by)
SELECT scheme.test_id('session', {SESSIONS} - n % 2000), scheme.test_id('holder', n),
    CASE WHEN n % 50 = 0 THEN 'checked_in' ELSE 'expected' END, CASE WHEN n % 50 = 0 THEN now() END, now(),
    scheme.test_id('holder', n)
FROM generate_series(1, 20000) n
ON CONFLICT DO NOTHING;
INSERT INTO scheme.voucher (claim, session, code_hash, label)
SELECT id, session, sha256(uuid_send(id)), 'Somebody' FROM scheme.claim WHERE holder IS NULL;
INSERT INTO scheme.correction (id, claim, number, before, after, goodwill, by, at)
SELECT scheme.test_key(n), scheme.test_key(n * 30 + 1), 1, 60, n % 9, 0, scheme.test_id('holder', n), now()
FROM generate_series(1, {CLAIMS // 30 - 1}) n;
INSERT INTO scheme.remark (id, claim, kind, body, by, at)
SELECT id, claim, 'correction', 'Went home early', by, at
FROM scheme.correction;
INSERT INTO scheme.remark (id, claim, kind, body, by, at)
SELECT scheme.test_key(1000000 + n), scheme.test_key(n * 10), 'note', 'With the scouts',
    scheme.test_id('holder', n), now()
FROM generate_series(1, {CLAIMS // 10}) n;
"""
_PAPER = """
INSERT INTO scheme.batch (id, label, minutes, count, expires_at, printed_at, printed_by, ended_at)
SELECT scheme.test_key(n), 'Batch ' || n, 60, 100, now() + (n - 900) * interval '1 day',
    now() - (2000 - n) * interval '1 day', scheme.test_id('holder', 1), CASE WHEN n < 900 THEN now() END
FROM generate_series(1, 1000) n;
INSERT INTO scheme.credential (id, kind, status, code_hash, batch, issued_at, issued_by, expires_at, changed_at,
    changed_by, used_by)
SELECT scheme.test_key(b * 100 + n), 'voucher', 'active', sha256(uuid_send(scheme.test_key(b * 100 + n))),
    scheme.test_key(b), now(), scheme.test_id('holder', 1), now(), now(), scheme.test_id('holder', 1),
    CASE WHEN n % 4 > 0 THEN scheme.test_id('entry', b * 100 + n) END
FROM generate_series(1, 1000) b, generate_series(1, 100) n;
INSERT INTO scheme.note (serial, holder, minutes, entry, taken_at, taken_by)
SELECT 'SP' || n, scheme.test_id('holder', n % 9000 + 1), 60, scheme.test_id('entry', n), now(),
    scheme.test_id('holder', 1)
FROM generate_series(1, 40000) n;
"""
_DESKS = f"""
INSERT INTO scheme.device (id, venue, name, status, created_at, created_by, code_hash, code_until)
SELECT scheme.test_id('device', n), scheme.test_id('venue', n % 1500 + 1), 'Till ' || n,
    CASE WHEN n % 100 = 0 THEN 'expected' ELSE 'active' END, now() - n * interval '1 hour',
    scheme.test_id('holder', n % 1500 + 1), CASE WHEN n % 100 = 0 THEN sha256(n::text::bytea) END,
    CASE WHEN n % 100 = 0 THEN now() END
FROM generate_series(1, 6000) n;
INSERT INTO scheme.api_key (id, secret_hash, scope, venue, device, label, created_at, expires_at)
SELECT scheme.test_id('till', n), sha256(n::text::bytea), 'venue', scheme.test_id('venue', n % 1500 + 1),
    scheme.test_id('device', n), 'a till', now(), now() + interval '1 year'
FROM generate_series(1, 6000) n;
INSERT INTO scheme.credential (id, kind, status, holder, code_hash, number, issued_at, issued_by, changed_at,
    changed_by)
SELECT scheme.test_id('credential', n), CASE WHEN n % 3 = 0 THEN 'pass' ELSE 'card' END,
    CASE WHEN n <= {PEOPLE} THEN 'active' ELSE 'revoked' END, scheme.test_id('holder', n % {PEOPLE} + 1),
    CASE WHEN n % 3 > 0 THEN sha256(n::text::bytea) END, CASE WHEN n % 3 = 0 THEN n * 5003 END,
    now() - n * interval '10 minutes', scheme.test_id('holder', 1), now(), scheme.test_id('holder', 1)
FROM generate_series(1, {PEOPLE} * 2) n;
INSERT INTO scheme.wrong_code (id, device, venue, identity, at)
SELECT scheme.test_key(n), CASE WHEN n % 5 > 1 THEN scheme.test_id('device', n % 6000 + 1) END,
    CASE WHEN n % 5 > 1 THEN scheme.test_id('venue', n % 1500 + 1) END,
    CASE WHEN n % 5 = 1 THEN scheme.test_id('holder', n % 900 + 1) END, now() - n * interval '4 seconds'
FROM generate_series(1, 20000) n;
"""
_GIFTS = f"""
INSERT INTO scheme.gift (id, giver, receiver, minutes, offered_at, lapses_at)
SELECT scheme.test_key(1000000 + n), scheme.test_id('holder', n % {PEOPLE} + 1),
    scheme.test_id('holder', (n + 7) % {PEOPLE} + 1),
    60, at, at + interval '30 days'
FROM generate_series(1, 40000) n, LATERAL (SELECT now() - n * interval '30 minutes' AS at) t;
INSERT INTO scheme.lapse (entry, at)
SELECT scheme.test_key(1000000 + n), now() + n * interval '1 minute' FROM generate_series(1, 20000) n;
INSERT INTO scheme.pot_spend (id, "group", proposed_by, actor, proposed_at, minutes, request, agreed_by, decided_at)
SELECT scheme.test_key(n), scheme.test_id('group', n % 1000 + 1), scheme.test_id('holder', n % 3000 + 1),
    scheme.test_id('holder', n % 3000 + 1), now() - n * interval '1 hour', 1500, '{{}}',
    CASE WHEN n > 500 THEN scheme.test_id('holder', n % 3000 + 2) END,
    CASE WHEN n > 500 THEN now() END
FROM generate_series(1, 20000) n;
"""
_WISHES = f"""
INSERT INTO scheme.preference (person, large_print, changed_at)
SELECT scheme.test_id('person', n), n % 2 = 0, now() FROM generate_series(1, {PEOPLE}, 3) n;
INSERT INTO scheme.letter (id, at, holder, recipient, subject, body, next_at, ends_at, sent_at)
SELECT scheme.test_key(n), at, scheme.test_id('holder', n), n || '@example.org', 'Your link',
    CASE WHEN n % 100 = 0 THEN 'Here it is' END, at, at + interval '1 day', CASE WHEN n % 100 > 0 THEN at END
FROM generate_series(1, 30000) n, LATERAL (SELECT now() - n * interval '1 minute' AS at) t;
INSERT INTO scheme.sign_in (id, token_hash, holder, strength, made_at, seen_at, ends_at, ended_at)
SELECT scheme.test_key(n), sha256(n::text::bytea), scheme.test_id('holder', n), 'link', at, at,
    at + interval '90 days', CASE WHEN n % 5 = 0 THEN at END
FROM generate_series(1, 30000) n, LATERAL (SELECT now() - n * interval '5 minutes' AS at) t;
INSERT INTO scheme.one_time (id, purpose, holder, link_hash, code_hash, browser_hash, made_at, ends_at, used_at)
SELECT scheme.test_key(n), 'sign_in', scheme.test_id('holder', n), sha256(n::text::bytea), sha256(n::text::bytea),
    sha256(n::text::bytea), at, at + interval '10 minutes', CASE WHEN n % 2 = 0 THEN at END
FROM generate_series(1, 10000) n, LATERAL (SELECT now() - n * interval '1 second' AS at) t;
INSERT INTO scheme.sign_in (id, token_hash, device, strength, made_at, seen_at, ends_at)
SELECT scheme.test_key(100000 + n), sha256(uuid_send(scheme.test_id('device', n))), scheme.test_id('device', n),
    'device', at, at, at + interval '1 year'
FROM generate_series(1, 3000) n, LATERAL (SELECT now() - n * interval '1 hour' AS at) t;
INSERT INTO scheme.one_time (id, purpose, holder, link_hash, made_at, ends_at, used_at)
SELECT scheme.test_key(100000 + n), 'passkey', scheme.test_id('holder', n),
    sha256(uuid_send(scheme.test_id('invitation', n))), at, at + interval '7 days', CASE WHEN n % 2 = 0 THEN at END
FROM generate_series(1, 500) n, LATERAL (SELECT now() - n * interval '15 minutes' AS at) t;
INSERT INTO scheme.passkey (credential, holder, public_key, sign_count, name, made_at, used_at, ended_at)
SELECT sha256(n::text::bytea), scheme.test_id('holder', n / 2 + 1), sha256(n::text::bytea), 0, 'my phone', at, at,
    CASE WHEN n % 5 = 0 THEN at END
FROM generate_series(1, 12000) n, LATERAL (SELECT now() - n * interval '1 hour' AS at) t;
INSERT INTO scheme.challenge (id, purpose, challenge, holder, browser_hash, ends_at)
SELECT scheme.test_key(n), CASE WHEN n % 3 = 0 THEN 'add' ELSE 'sign_in' END, sha256(n::text::bytea),
    CASE WHEN n % 3 = 0 THEN scheme.test_id('holder', n) END, sha256(n::text::bytea), now() + n * interval '1 second'
FROM generate_series(1, 2000) n;
INSERT INTO scheme.recovery (id, holder, asked_at, asked_by, agreed_at, agreed_by)
SELECT scheme.test_key(n), scheme.test_id('holder', n), at, scheme.test_id('holder', 6001), at,
    scheme.test_id('holder', 6002)
FROM generate_series(1, 200) n, LATERAL (SELECT now() - n * interval '5 days' AS at) t;
INSERT INTO scheme.vouched (issuer, subject, holder, made_at)
SELECT 'https://sign-in.example.org', 'subject-' || n, scheme.test_id('holder', n), now()
FROM generate_series(1, 6000) n;
INSERT INTO scheme.attempt (what, whom, since, count)
SELECT 'letter_to', sha256(n::text::bytea), now() - n % 24 * interval '1 hour', 1 FROM generate_series(1, 20000) n;
"""
_RUNNING = """
INSERT INTO scheme.rules (version, changed_at, changes) SELECT n, now(), '{}' FROM generate_series(2, 50) n;
INSERT INTO scheme.outbox (id, at, topic, holder, project, object, body, delivered_at)
SELECT scheme.test_key(n), now() - (100000 - n) * interval '15 minutes',
    CASE n % 5 WHEN 0 THEN 'claim_submitted' WHEN 1 THEN 'claim_queried' ELSE 'awarded' END,
    scheme.test_id('holder', n % 60000 + 1), scheme.test_id('project', n % 300 + 1), scheme.test_key(n), '{}',
    CASE WHEN n < 90000 THEN now() END
FROM generate_series(1, 100000) n;
INSERT INTO scheme.role (id, holder, role, project, venue, granted_at, granted_by, ended_at, ended_by)
SELECT scheme.test_key(n), scheme.test_id('holder', n), (ARRAY['manager', 'coordinator', 'approver'])[n % 3 + 1],
    CASE WHEN n % 3 > 0 THEN scheme.test_id('project', n % 300 + 1) END,
    CASE WHEN n % 3 = 0 THEN scheme.test_id('venue', n % 300 + 1) END, now(), scheme.test_id('holder', 1),
    CASE WHEN n % 4 = 0 THEN now() END, CASE WHEN n % 4 = 0 THEN scheme.test_id('holder', 1) END
FROM generate_series(1, 6000) n;
INSERT INTO scheme.role (id, holder, role, granted_at, granted_by)
SELECT scheme.test_key(6000 + n), scheme.test_id('holder', 6000 + n), CASE WHEN n > 30 THEN 'auditor' ELSE 'staff' END,
    now(), scheme.test_id('holder', 6001)
FROM generate_series(1, 40) n;
INSERT INTO scheme.act (id, at, by, key, scope, holder, verb, object)
SELECT scheme.test_key(n), now() - (50000 - n) * interval '30 minutes', scheme.test_id('holder', n % 3000 + 1),
    scheme.test_id('key', n % 3000 + 1), 'project', scheme.test_id('holder', n % 60000 + 1),
    CASE n % 20 WHEN 0 THEN 'contact_read' WHEN 1 THEN 'book' ELSE 'balance_read' END, NULL
FROM generate_series(1, 50000) n;
INSERT INTO scheme.answer (principal, key, operation, recorded_at, salt, digest, body)
SELECT scheme.test_id('project', n % 300 + 1), 'key-' || n, 'register', now(), '\\x00112233445566778899aabbccddeeff',
    sha256(n::text::bytea), '{}'
FROM generate_series(1, 30000) n;
"""
# What was approved has its entry. Nothing is sealed, and the head knows of none of it.
_JOURNAL = f"""
ALTER TABLE journal.entry DISABLE TRIGGER entry_fits_target;
INSERT INTO journal.account (id, floor, name)
SELECT n, 0, 'wallet:' || replace(scheme.test_id('holder', n)::text, '-', '') FROM generate_series(1, {PEOPLE}) n;
INSERT INTO journal.account (id, name)
SELECT {PEOPLE} + n, 'issued:' || replace(scheme.test_id('project', n)::text, '-', '')
FROM generate_series(1, {PROJECTS}) n;
INSERT INTO journal.entry (position, happened_at, recorded_at, id, actor, kind, nonce, leaf)
SELECT row_number() OVER (ORDER BY created_at, id), ended_at, created_at, id, by, 'plain', uuid_send(id),
    sha256(uuid_send(id))
FROM scheme.claim WHERE state = 'approved';
INSERT INTO journal.transfer (position, debit, credit, minutes, debit_sequence, debit_balance, credit_sequence,
    credit_balance, line)
SELECT n, {PEOPLE} + n % {PROJECTS} + 1, n % {PEOPLE} + 1, 60, n, -60, n, 60, 0
FROM generate_series(1, (SELECT count(*) FROM journal.entry)) n;
INSERT INTO journal.entry (position, happened_at, recorded_at, id, actor, kind, nonce, leaf)
SELECT 1000000 + row_number() OVER (ORDER BY offered_at, id), offered_at, offered_at, id, giver, 'hold', uuid_send(id),
    sha256(uuid_send(id))
FROM scheme.gift;
INSERT INTO journal.entry (position, target, happened_at, recorded_at, id, actor, kind, nonce, leaf)
SELECT 1000000 + position, position, happened_at, recorded_at, scheme.test_id('resolved', position), actor,
    CASE position % 4 WHEN 1 THEN 'capture' WHEN 2 THEN 'void' ELSE 'lapse' END::journal.entry_kind, nonce, leaf
FROM journal.entry WHERE kind = 'hold' AND position % 4 > 0;
INSERT INTO journal.checkpoint (size, signed_at, note) SELECT n * 20, now(), 'A note' FROM generate_series(1, 6000) n;
ALTER TABLE journal.entry ENABLE ALWAYS TRIGGER entry_fits_target;
"""
# Each with its hold, of which nine in ten were resolved.
_BOOKINGS = f"""
UPDATE scheme.occasion SET cancelled_at = now() WHERE id IN (
    SELECT scheme.test_id('occasion', n) FROM generate_series(1, 100000, 100) n
);
INSERT INTO scheme.booking (id, offer, venue, holder, "group", occasion, course, visit_at, cancel_until, walk_in, party,
    made_at, made_by)
SELECT scheme.test_key(2000000 + n), scheme.test_id('offer', n % 8000 + 1), scheme.test_id('venue', n % 1500 + 1),
    scheme.test_id('holder', n % {PEOPLE} + 1), CASE WHEN n % 50 = 0 THEN scheme.test_id('group', n % 1000 + 1) END,
    CASE WHEN n % 5 = 0 THEN scheme.test_id('occasion', n) END,
    CASE WHEN n % 20 = 0 THEN scheme.test_key(2000000 + n / 200 * 200) END,
    visit_at, CASE WHEN n % 2 = 0 THEN visit_at END, n % 2 = 1, '{{}}', now(), scheme.test_id('holder', n % 3000 + 1)
FROM generate_series(1, 100000) n, LATERAL (SELECT now() + (n - 90000) * interval '10 minutes' AS visit_at) t;
INSERT INTO scheme.credential (id, kind, status, holder, code_hash, booking, issued_at, issued_by, changed_at,
    changed_by)
SELECT scheme.test_id('code', row_number() OVER (ORDER BY id)), 'booking', 'active', holder, sha256(uuid_send(id)), id,
    made_at, made_by, made_at, made_by
FROM scheme.booking WHERE NOT walk_in AND course IS NULL;
ALTER TABLE journal.entry DISABLE TRIGGER entry_fits_target;
INSERT INTO journal.entry (position, happened_at, recorded_at, id, actor, kind, nonce, leaf)
SELECT 3000000 + row_number() OVER (ORDER BY visit_at, id), made_at, made_at, id, made_by, 'hold', uuid_send(id),
    sha256(uuid_send(id))
FROM scheme.booking;
INSERT INTO journal.transfer (position, debit, credit, minutes, debit_sequence, debit_balance, credit_sequence,
    credit_balance, line)
SELECT position, 1, 2, 60, position, 0, position, 60, 0 FROM journal.entry WHERE position > 3000000;
INSERT INTO journal.entry (position, target, happened_at, recorded_at, id, actor, kind, nonce, leaf)
SELECT 1000000 + position, position, happened_at, recorded_at, scheme.test_id('done', position), actor,
    CASE position % 4 WHEN 1 THEN 'void' WHEN 2 THEN 'lapse' ELSE 'capture' END::journal.entry_kind, nonce, leaf
FROM journal.entry WHERE position BETWEEN 3000001 AND 3090000;
ALTER TABLE journal.entry ENABLE ALWAYS TRIGGER entry_fits_target;
"""
