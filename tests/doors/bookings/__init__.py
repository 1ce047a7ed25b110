"""Visits that are booked, over HTTP: what they hold, what becomes of them, and who sees them."""
