"""Faults: what is killed, cancelled or raced, and what must still be true."""
