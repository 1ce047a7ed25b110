"""Time Credits, noun by noun."""
