"""Time Credits: people give an hour, receive a credit, and spend it on an hour of something they enjoy.

To be read downward, as imports point:

    app, doors/cli     the composition root and the command line; only they read ``settings``
    doors/web          pages for people, and what they print; doors/api: JSON for programs. Each parses, calls one
                       verb and renders
    scheme             Time Credits: people, projects, hours, venues, offers, redemptions, keys, roles, sign-ins
    journal            double-entry bookkeeping with proofs; it knows nothing of volunteering
    database           PostgreSQL: embedded or yours, transactions, checks at start, migrations

``bench`` measures all of it from outside.
"""
