-- Time Credits: people, projects, hours, venues, offers, redemptions, keys. Nothing here changes a balance.

COMMENT ON SCHEMA scheme IS 'Time Credits: who gave, who offers, who redeems; balances are the journal''s';
