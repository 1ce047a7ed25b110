"""PostgreSQL, as the rooms above see it.

Read `sessions` for what a transaction promises, `schema` for what is demanded of a server, and `embedded` for
the server that runs when no other is named.
"""

from ledger.database.embedded import Embedded
from ledger.database.schema import Unfit, check, migrate
from ledger.database.sessions import CommitUnknown, Database, driver

__all__ = ["CommitUnknown", "Database", "Embedded", "Unfit", "check", "driver", "migrate"]
