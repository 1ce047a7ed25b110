"""A journal: append-only, double-entry, gapless, verifiable.

It knows accounts, transfers, entries and proofs, and nothing of volunteering; it could be lifted out and sold as a
library.

To be read in this order: ``entries`` (the words), ``judge`` (the rules), ``posting`` (the one write path), ``batcher``
(many requests, one writer), ``reading``; then the proof: ``leaf``, ``merkle``, ``checkpoint``, ``receipt``, ``log``
(the tree as it is stored, and its signer), ``verifying``; and ``exporting``.
"""
