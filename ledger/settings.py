"""What can be set from outside, and nothing else.

One frozen Struct read once from the environment. Only `app` and `cli` read it; everything below gets the
values it needs as arguments, so no module behaves differently for a variable that its signature doesn't show.

Each field carries its variable, unit and meaning; the README's table is written from them and a test
compares. A value that can't be meant fails at start with one `SettingsError` that names the variable and what
it takes. An unset variable and an empty one are the same: the default.
"""

import functools
import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

Environment = Literal["demo", "test", "live"]
Port = Annotated[int, Meta(ge=1, le=65535)]


_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class SettingsError(Exception):
    """A variable of the environment has a value that can't be meant; the message names it."""


def _meaning(variable: str, unit: str, sentence: str) -> Meta:
    return Meta(title=variable, description=sentence, extra={"unit": unit})


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The service's settings, in the order of the README's table."""

    dsn: Annotated[
        str,
        _meaning("LEDGER_DSN", "DSN", "any PostgreSQL 15 or newer; empty: the embedded one, kept in LEDGER_DATA"),
    ] = ""
    data: Annotated[
        Path,
        _meaning("LEDGER_DATA", "folder", "where the embedded PostgreSQL and the signing key are kept"),
    ] = Path("data")
    host: Annotated[str, _meaning("LEDGER_HOST", "address", "the address to listen on")] = "127.0.0.1"
    port: Annotated[Port, _meaning("LEDGER_PORT", "1-65535", "the port to listen on")] = 8000
    environment: Annotated[
        Environment,
        _meaning(
            "LEDGER_ENVIRONMENT",
            "demo, test or live",
            "stands in API keys, so none works elsewhere; use live for real people, which takes https",
        ),
    ] = "demo"
    allowed_hosts: Annotated[
        tuple[str, ...],
        _meaning(
            "LEDGER_ALLOWED_HOSTS", "names, by commas", "Host headers answered, LEDGER_HOST and LEDGER_URL besides"
        ),
    ] = ("localhost", "127.0.0.1")
    trusted_proxies: Annotated[
        tuple[str, ...],
        _meaning(
            "LEDGER_TRUSTED_PROXIES",
            "networks, by commas",
            "whose X-Forwarded-For is believed, so that limits count the people behind them; empty: nobody's",
        ),
    ] = ()
    # Two cores keep about four statements busy; the rest covers requests that wait for the writer's commit.
    pool_size: Annotated[
        Annotated[int, Meta(ge=1, le=1000)],
        _meaning("LEDGER_POOL_SIZE", "connections", "database connections for requests, the writer's own besides"),
    ] = 10
    # A batch of 1,000 takes about 35 ms, so a full queue is answered in about 0.7 s: below every client's
    # patience.
    queue_max: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)],
        _meaning("LEDGER_QUEUE_MAX", "entries", "entries waiting for the writer; above it requests hear 503"),
    ] = 20_000
    # 8,000 a batch is a quarter faster than 1,000 and makes everyone wait eight times as long.
    batch_max: Annotated[
        Annotated[int, Meta(ge=1, le=10_000)],
        _meaning("LEDGER_BATCH_MAX", "entries", "entries that share one commit"),
    ] = 1_000
    metrics_token: Annotated[
        str,
        _meaning("LEDGER_METRICS_TOKEN", "secret", "bearer token of /metrics; when empty and live, /metrics is 404"),
    ] = ""
    signing_key: Annotated[
        Path | None,
        _meaning(
            "LEDGER_SIGNING_KEY",
            "file",
            "the Ed25519 key of checkpoints; empty: checkpoint.key in LEDGER_DATA",
        ),
    ] = None
    origin: Annotated[
        Annotated[str, Meta(pattern=r"^[^\s+]{1,120}$")],
        _meaning("LEDGER_ORIGIN", "name", "the log's name in checkpoints; verifiers pin it, so never change it"),
    ] = "timecredits.local/journal"
    public_url: Annotated[
        Annotated[str, Meta(pattern=r"^https?://[^\s/?#@]+/?$")],
        _meaning(
            "LEDGER_URL", "https://name", "the address people open it at; empty: from LEDGER_HOST and LEDGER_PORT"
        ),
    ] = ""
    smtp: Annotated[
        Annotated[
            str, Meta(pattern=r"^smtps?://([^\s/@:]+:[^\s/@:]*@)?([^\s/@:\[\]]+|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?/?$")
        ],
        _meaning("LEDGER_SMTP", "smtp[s]://user:password@host:port", "where mail is sent; empty: none is sent"),
    ] = ""
    mail_from: Annotated[
        Annotated[str, Meta(pattern=r"^[!-;=?A-~]{1,64}@[0-9A-Za-z.-]{1,189}$")],
        _meaning("LEDGER_MAIL_FROM", "address", "whom mail is from; answers go there too"),
    ] = "time-credits@localhost"
    scheme: Annotated[
        Annotated[str, Meta(min_length=1, max_length=100)],
        _meaning("LEDGER_SCHEME", "name", "what the scheme is called, on paper and in the privacy notice"),
    ] = "Time Credits"
    controller: Annotated[
        Annotated[str, Meta(max_length=300)],
        _meaning(
            "LEDGER_CONTROLLER", "name, address", "who answers for what is kept of people; stands in the privacy notice"
        ),
    ] = ""
    contact_email: Annotated[
        Annotated[str, Meta(pattern=r"^([!-;=?A-~]{1,64}@[0-9A-Za-z.-]{1,189})?$")],
        _meaning("LEDGER_CONTACT_EMAIL", "address", "where people can write to the office"),
    ] = ""
    contact_phone: Annotated[
        Annotated[str, Meta(pattern=r"^[0-9+() ]{0,30}$")],
        _meaning("LEDGER_CONTACT_PHONE", "number", "where people can call the office; stands on cards, too"),
    ] = ""
    oidc_issuer: Annotated[
        Annotated[str, Meta(pattern=r"^(https://|http://(localhost|127\.0\.0\.1)[:/])[^\s?#@]{1,240}$")],
        _meaning("LEDGER_OIDC_ISSUER", "https://name", "the organisation's own sign-in, for staff; empty: none"),
    ] = ""
    oidc_client: Annotated[
        Annotated[str, Meta(max_length=255)],
        _meaning(
            "LEDGER_OIDC_CLIENT", "id", "what it knows us as; it sends back to LEDGER_URL/sign-in/organisation/back"
        ),
    ] = ""
    oidc_secret: Annotated[
        Annotated[str, Meta(max_length=255)],
        _meaning("LEDGER_OIDC_SECRET", "secret", "and what this service shows it"),
    ] = ""

    def __repr__(self) -> str:
        """Without what is secret, for a settings object ends up in logs."""
        secret = {"dsn", "metrics_token", "smtp", "oidc_secret"}
        shown = {name: getattr(self, name) for name in self.__struct_fields__ if name not in secret}
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    def __post_init__(self) -> None:
        """Refuse what would be unsafe, however these came about: raise SettingsError."""
        for each in self.trusted_proxies:
            try:
                ipaddress.ip_network(each)
            except ValueError:
                raise SettingsError(
                    f"LEDGER_TRUSTED_PROXIES has {each!r}, which is no network such as 10.0.0.0/8 or 192.0.2.7."
                ) from None
        if self.environment == "live" and not self.is_https:
            here = {self.host, urlsplit(self.url).hostname}
            if not here <= _LOOPBACK:
                raise SettingsError(
                    "LEDGER_ENVIRONMENT is live, so LEDGER_URL has to be the https:// address that people open: "
                    "without it what they send could be read on the way. Only on this machine itself http will do."
                )

    @property
    def is_https(self) -> bool:
        """Whether people open it by https."""
        return self.url.startswith("https://")

    @property
    def signing_key_path(self) -> Path:
        """Where the Ed25519 key is kept."""
        return self.signing_key or self.data / "checkpoint.key"

    @property
    def hosts(self) -> frozenset[str]:
        """Every Host header that is answered."""
        return frozenset({*self.allowed_hosts, self.host, urlsplit(self.url).hostname or self.host})

    @property
    def url(self) -> str:
        """Where people open the service, without a slash at the end: what links in letters begin with."""
        if self.public_url:
            return self.public_url.rstrip("/")
        # Who listens at every address is found on this machine by its name.
        everywhere = self.host in {"0.0.0.0", "::"}  # noqa: S104  # compared, not bound
        host = "localhost" if everywhere else f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Read every variable; raise SettingsError for the first value that can't be meant."""
        known = {row.variable for row in table()}
        for variable in sorted(environ):
            if variable.startswith("LEDGER_") and variable not in known:
                raise SettingsError(f"{variable} is not a setting; the settings are {', '.join(sorted(known))}.")
        values = {
            row.field: _read(row, environ[row.variable]) for row in table() if environ.get(row.variable, "").strip()
        }
        settings = cls(**values)  # type: ignore[arg-type]  # _read converted each to its field's own type
        if len({bool(each) for each in (settings.oidc_issuer, settings.oidc_client, settings.oidc_secret)}) > 1:
            raise SettingsError("LEDGER_OIDC_ISSUER, LEDGER_OIDC_CLIENT and LEDGER_OIDC_SECRET are set together.")
        return settings


class Row(msgspec.Struct, frozen=True):
    """One setting, as the README shows it."""

    field: str
    variable: str
    default: str
    unit: str
    sentence: str


@functools.cache
def table() -> tuple[Row, ...]:
    """Every setting with its documentation, in order."""
    rows = []
    for field in msgspec.structs.fields(Settings):
        meta = field.type.__metadata__[-1]
        default = field.default
        shown = ",".join(default) if isinstance(default, tuple) else str("" if default is None else default)
        rows.append(Row(field.name, meta.title, shown, meta.extra["unit"], meta.description))
    return tuple(rows)


def _read(row: Row, text: str) -> object:
    """The field's value, in the field's own type."""
    wanted = get_type_hints(Settings, include_extras=True)[row.field]
    source: object = text.strip()
    if row.field in {"allowed_hosts", "trusted_proxies"}:
        source = [each.strip() for each in text.split(",") if each.strip()]
    if row.field in {"data", "signing_key"}:
        return Path(text.strip()).expanduser()
    try:
        return msgspec.convert(source, wanted, strict=False)
    except msgspec.ValidationError as error:
        # The value itself isn't repeated: a DSN or a token has no place in a log.
        raise SettingsError(f"{row.variable} ({row.unit}; {row.sentence}) can't be that: {error}.") from None
