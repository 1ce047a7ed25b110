-- Who may do what, in outline; each table's own grants stand beside it in journal.sql and scheme.sql.
--
--   timecredits_owner    owns the schemas; nobody logs in as it
--   timecredits_migrate  deploys: a member of owner
--   timecredits_app      the service: INSERT in the journal, UPDATE on the kinds' totals and the head, never the past
--   timecredits_auditor  reads the journal, and no person
--   timecredits_report   reads views
--
-- All are NOLOGIN: login users are the operator's, and become members. This file is run by each migration, as the
-- login user, and must be harmless when run again, by several at once, or by a user who may create no roles but finds
-- them created.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'timecredits_owner', 'timecredits_migrate', 'timecredits_app', 'timecredits_auditor', 'timecredits_report'
    ] LOOP
        IF to_regrole(name) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', name);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL; -- another migration on this server was first
            END;
        END IF;
    END LOOP;
END
$$;

DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            ('timecredits_owner', 'timecredits_migrate'),
            ('timecredits_owner', session_user::text),
            ('timecredits_app', session_user::text)
        ) AS t (role, member)
    LOOP
        -- True for a superuser, who needs no membership.
        IF NOT pg_has_role(wanted.member, wanted.role, 'MEMBER') THEN
            BEGIN
                EXECUTE format('GRANT %I TO %I', wanted.role, wanted.member);
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN
                    NULL; -- as above
                WHEN insufficient_privilege THEN
                    RAISE WARNING '% can''t be granted to % by %: an administrator has to', wanted.role, wanted.member,
                        session_user;
            END;
        END IF;
    END LOOP;
END
$$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['journal', 'scheme', 'migration'] LOOP
        -- Not IF NOT EXISTS: that asks for the right to create even when nothing is created.
        IF to_regnamespace(name) IS NULL THEN
            EXECUTE format('CREATE SCHEMA %I AUTHORIZATION timecredits_owner', name);
        END IF;
    END LOOP;
    -- Where the login user owns the database; elsewhere PostgreSQL 15's own default already forbids CREATE.
    IF pg_has_role(session_user, (SELECT nspowner FROM pg_namespace WHERE nspname = 'public'), 'MEMBER') THEN
        REVOKE ALL ON SCHEMA public FROM PUBLIC;
    END IF;
END
$$;

SET LOCAL ROLE timecredits_owner;

REVOKE ALL ON SCHEMA journal, scheme, migration FROM PUBLIC;
GRANT USAGE ON SCHEMA journal TO timecredits_app, timecredits_auditor, timecredits_report;
GRANT USAGE ON SCHEMA scheme TO timecredits_app, timecredits_report;
GRANT USAGE ON SCHEMA migration TO timecredits_app;

-- PostgreSQL would give EXECUTE on every new function to PUBLIC; tables it gives to nobody. Alembic makes its version table itself, so its grant stands here; the service reads it at start.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA migration GRANT SELECT ON TABLES TO timecredits_app;

RESET ROLE;
