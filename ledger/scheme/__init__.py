"""Time Credits: people, projects, hours, venues, offers, redemptions, keys. One module a noun, its verbs inside.

To be read in this order: ``chart`` (the accounts), ``refusals`` (every "no"), ``clock``; ``keys`` (who asks) and
``directory`` (what is known of who asks and of offers, and how fresh it is); then the nouns: ``people``, ``projects``,
``hours``, ``venues``, ``offers``, ``redemptions``; and ``demo``.

Verbs return Structs or raise ``Declined``. Balances change through the journal alone.
"""
