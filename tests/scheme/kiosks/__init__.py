"""A project's kiosk: what it tells by a card, whom it signs in and out, and what it never does."""
