"""The doors: ``api`` (JSON) and ``cli``. Each parses, calls one verb and renders; none holds SQL or a rule."""
