"""The bench: what the service does in a second, as ratios in one run.

Absolute figures drift with the machine, so whatever is compared is measured alternately, round by round, in the same
minute, on one PostgreSQL with durability on; the ratio told is the median of the rounds'. Read ``run`` for the figures
and what each means; ``fill`` makes the entries, ``http`` the servers, and ``client`` is the load, a process of its own.
"""
