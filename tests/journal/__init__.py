"""The journal, proved."""
