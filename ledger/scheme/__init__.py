"""Time Credits: people, projects, hours, venues, offers, redemptions, keys. One module a noun, its verbs inside.

To be read in this order: ``chart`` (the accounts), ``refusals`` (every "no"), ``clock``; ``callers`` (who asks), who is
known by ``keys`` (programs) or ``sign_ins`` (browsers), and by ``roles`` may do more than a volunteer; ``directory``
(what is known of keys, offers and codes, and how fresh it is); then the nouns: ``people``, ``projects``, ``hours``,
``venues``, ``offers``, ``redemptions``; and ``demo``.

Verbs return Structs or raise ``Declined``. Balances change through the journal alone.
"""
