"""The doors: ``web`` (pages), ``api`` (JSON), ``cli``. Each parses, calls a verb and renders; none holds SQL or a rule.

What several of them need stands here: ``fields`` (what is typed and sent), ``cursors`` (where a page went on),
``mail`` (letters on their way out).
"""
