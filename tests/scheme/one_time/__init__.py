"""One-time links and codes: to sign in with, and to be invited by."""
