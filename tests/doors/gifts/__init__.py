"""Gifts between people over HTTP (rule 20)."""
