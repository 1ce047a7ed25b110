"""The settings, and the README's table of them."""

import re
from pathlib import Path

import msgspec
import pytest

from ledger.settings import Settings, SettingsError, table

README = Path(__file__).parents[1] / "README.md"


def test_readme_documents_every_setting() -> None:
    rows = [
        f"| `{row.variable}` | {shown} | {row.unit} | {row.sentence} |"
        for row in table()
        for shown in [f"`{row.default}`" if row.default else "empty"]
    ]
    wanted = "\n".join(["| variable | default | unit | meaning |", "|---|---|---|---|", *rows])
    section = README.read_text(encoding="utf-8").split("## Settings", 1)[-1]
    found = re.search(r"<!-- settings -->\n(.*?)\n<!-- /settings -->", section, re.DOTALL)
    assert found, "README.md needs a section '## Settings' with <!-- settings --> and <!-- /settings --> lines"
    assert found[1] == wanted, f"ledger/settings.py and README.md differ; paste this between the markers:\n{wanted}"


def test_nothing_set_gives_the_defaults() -> None:
    assert Settings.from_environment({"PATH": "/bin", "LEDGER_DSN": "", "LEDGER_PORT": " "}) == Settings()


def test_every_variable_is_read() -> None:
    given = Settings.from_environment(
        {
            "LEDGER_DSN": "postgresql://a:secret@b/c",
            "LEDGER_DATA": "/var/lib/ledger",
            "LEDGER_HOST": "0.0.0.0",  # noqa: S104  # what a container sets
            "LEDGER_PORT": "9000",
            "LEDGER_ENVIRONMENT": "live",
            "LEDGER_ALLOWED_HOSTS": "credits.example, www.credits.example",
            "LEDGER_TRUSTED_PROXIES": "192.0.2.7, 10.0.0.0/8,",
            "LEDGER_POOL_SIZE": "5",
            "LEDGER_QUEUE_MAX": "100",
            "LEDGER_BATCH_MAX": "10",
            "LEDGER_METRICS_TOKEN": "hidden",
            "LEDGER_SIGNING_KEY": "/etc/ledger/key",
            "LEDGER_ORIGIN": "credits.example/journal",
            "LEDGER_URL": "https://credits.example/",
            "LEDGER_SMTP": "smtps://post:unseen@mail.example:465",
            "LEDGER_MAIL_FROM": "hello@credits.example",
            "LEDGER_SCHEME": "Borough Time Credits",
            "LEDGER_CONTROLLER": "Borough Trust, 1 High Street, Borough BR1 1AA",
            "LEDGER_CONTACT_EMAIL": "office@credits.example",
            "LEDGER_CONTACT_PHONE": "01632 960 123",
            "LEDGER_OIDC_ISSUER": "https://sign-in.example/credits",
            "LEDGER_OIDC_CLIENT": "time-credits",
            "LEDGER_OIDC_SECRET": "concealed",
        }
    )
    assert given == Settings(
        dsn="postgresql://a:secret@b/c",
        data=Path("/var/lib/ledger"),
        host="0.0.0.0",  # noqa: S104  # the same
        port=9000,
        environment="live",
        allowed_hosts=("credits.example", "www.credits.example"),
        trusted_proxies=("192.0.2.7", "10.0.0.0/8"),
        pool_size=5,
        queue_max=100,
        batch_max=10,
        metrics_token="hidden",
        signing_key=Path("/etc/ledger/key"),
        origin="credits.example/journal",
        public_url="https://credits.example/",
        smtp="smtps://post:unseen@mail.example:465",
        mail_from="hello@credits.example",
        scheme="Borough Time Credits",
        controller="Borough Trust, 1 High Street, Borough BR1 1AA",
        contact_email="office@credits.example",
        contact_phone="01632 960 123",
        oidc_issuer="https://sign-in.example/credits",
        oidc_client="time-credits",
        oidc_secret="concealed",
    )
    assert "secret" not in repr(given)
    assert "hidden" not in repr(given)
    assert "unseen" not in repr(given)
    assert "concealed" not in repr(given)


def test_the_key_is_kept_with_the_data_unless_said_otherwise() -> None:
    assert Settings(data=Path("/d")).signing_key_path == Path("/d/checkpoint.key")
    assert Settings(data=Path("/d"), signing_key=Path("/k")).signing_key_path == Path("/k")


def test_the_address_listened_on_is_an_allowed_host() -> None:
    assert Settings(host="10.0.0.7").hosts == {"localhost", "127.0.0.1", "10.0.0.7"}


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        (Settings(), "http://127.0.0.1:8000"),
        (Settings(host="0.0.0.0", port=9000), "http://localhost:9000"),  # noqa: S104  # what a container sets
        (Settings(host="::1"), "http://[::1]:8000"),
        (Settings(public_url="https://credits.example/"), "https://credits.example"),
    ],
)
def test_links_lead_to_the_public_address_or_to_the_one_listened_on(settings: Settings, url: str) -> None:
    assert settings.url == url


@pytest.mark.parametrize(
    ("host", "url", "is_safe"),
    [
        ("127.0.0.1", "", True),
        ("::1", "", True),
        ("0.0.0.0", "https://credits.example", True),  # noqa: S104  # what a container sets
        ("0.0.0.0", "", False),  # noqa: S104  # the same
        ("10.0.0.7", "", False),
        ("127.0.0.1", "http://credits.example", False),
        ("0.0.0.0", "http://localhost", False),  # noqa: S104  # the same
    ],
)
def test_real_people_are_served_by_https_or_on_this_machine_alone(host: str, url: str, is_safe: bool) -> None:  # noqa: FBT001
    given = {"LEDGER_ENVIRONMENT": "live", "LEDGER_HOST": host, "LEDGER_URL": url}
    if is_safe:
        assert Settings.from_environment(given).environment == "live"
        return
    with pytest.raises(SettingsError, match="LEDGER_ENVIRONMENT is live, so LEDGER_URL"):
        Settings.from_environment(given)
    # Nor by what is said on the command line.
    with pytest.raises(SettingsError):
        msgspec.structs.replace(Settings(environment="live"), host=host, public_url=url)
    assert Settings.from_environment({**given, "LEDGER_ENVIRONMENT": "demo"}).host == host


def test_the_public_address_is_an_allowed_host() -> None:
    assert "credits.example" in Settings(public_url="https://credits.example:8443").hosts


@pytest.mark.parametrize("missing", ["LEDGER_OIDC_ISSUER", "LEDGER_OIDC_CLIENT", "LEDGER_OIDC_SECRET"])
def test_the_organisations_sign_in_is_set_whole(missing: str) -> None:
    whole = {"LEDGER_OIDC_ISSUER": "https://a.example", "LEDGER_OIDC_CLIENT": "b", "LEDGER_OIDC_SECRET": "concealed"}
    assert Settings.from_environment(whole).oidc_issuer == "https://a.example"
    with pytest.raises(SettingsError, match="set together") as refused:
        Settings.from_environment({**whole, missing: ""})
    assert "concealed" not in str(refused.value)


@pytest.mark.parametrize(
    "issuer", ["http://sign-in.example", "http://localhost.evil.test/", "sign-in.example", "https://"]
)
def test_the_organisations_sign_in_is_reached_by_tls(issuer: str) -> None:
    given = {"LEDGER_OIDC_ISSUER": issuer, "LEDGER_OIDC_CLIENT": "b", "LEDGER_OIDC_SECRET": "c"}
    with pytest.raises(SettingsError, match="LEDGER_OIDC_ISSUER"):
        Settings.from_environment(given)


def test_a_refused_address_of_the_mail_server_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({"LEDGER_SMTP": "smtp://user:unseen@mail.example:port"})
    assert "unseen" not in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LEDGER_PORT", "0"),
        ("LEDGER_PORT", "65536"),
        ("LEDGER_PORT", "http"),
        ("LEDGER_ENVIRONMENT", "production"),
        ("LEDGER_TRUSTED_PROXIES", "the proxy"),
        ("LEDGER_TRUSTED_PROXIES", "*"),
        ("LEDGER_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("LEDGER_POOL_SIZE", "0"),
        ("LEDGER_QUEUE_MAX", "-1"),
        ("LEDGER_BATCH_MAX", "1.5"),
        ("LEDGER_ORIGIN", "two words"),
        ("LEDGER_URL", "credits.example"),
        ("LEDGER_URL", "https://credits.example/path"),
        ("LEDGER_SMTP", "mail.example:25"),
        ("LEDGER_SMTP", "smtp://user@mail.example"),
        ("LEDGER_MAIL_FROM", "Time Credits <hello@credits.example>"),
        ("LEDGER_POOLSIZE", "5"),
    ],
)
def test_a_value_that_cannot_be_meant_names_its_variable(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{variable}\b"):
        Settings.from_environment({variable: value})
