"""The command line: `timecredits`. Each command parses, calls one verb, and hands back an answer to be shown.

By default an answer is shown to people; with `--json` it is one JSON document on standard output. Progress, remarks and
whatever went wrong go to standard error, so standard output can always be piped.

Exit codes:

====  ==================================================================================================================
0     done
1     refused: a rule, or what the journal holds, stands against it; sending the same again won't help
2     usage: a wrong option, setting or file
3     unavailable, or not known whether it was done: retry with the same key
4     verification failed: a proof doesn't hold, or the journal is not what was signed
70    a defect of this program: its trace is on standard error
130   interrupted by Ctrl-C
====  ==================================================================================================================

Commands work on LEDGER_DSN or, without one, on the embedded PostgreSQL in LEDGER_DATA: on the running one if a service
runs (`serve` itself refuses that), else on one started for as long as the command takes. `bench` has one of its own. To
be read in this order: `answers` (what every command shares), `server` (where the database is), then the commands:
`serving`, `books`, `scheme`, `desk`, `till`, `paper`, `roles`.
"""

import click

from ledger.doors.cli.bench import bench
from ledger.doors.cli.books import checkpoint, export, receipt, verify
from ledger.doors.cli.desk import card
from ledger.doors.cli.districts import districts
from ledger.doors.cli.paper import opening, voucher
from ledger.doors.cli.person import person
from ledger.doors.cli.roles import audit, role
from ledger.doors.cli.running import outbox, rules, work
from ledger.doors.cli.scheme import balance, key, register, statement
from ledger.doors.cli.serving import migrate, serve
from ledger.doors.cli.till import quote, redeem


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="timecredits")
def main() -> None:
    """Time Credits: the journal, and the service over it.

    Settings come from the environment (LEDGER_DSN, LEDGER_DATA, ...); see the README.

    \b
    Exit codes: 0 done, 1 refused, 2 usage, 3 unavailable or unknown (retry with the same key),
    4 verification failed, 70 a defect of this program, 130 interrupted.
    """  # noqa: D301  # \b is click's mark for lines to be left alone


for command in (
    *(serve, migrate),
    *(register, balance, statement, quote, redeem, card, key, person),
    *(voucher, opening),
    *(role, audit),
    *(districts, rules, work, outbox),
    *(verify, checkpoint, receipt, export, bench),
):
    main.add_command(command)
