"""Settings of the installation, from the environment (`GORODOK_…`). Secrets come from here and nowhere else."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Every setting is an environment variable: `home` is `GORODOK_HOME`. Documented in docs/operations.md."""

    model_config = SettingsConfigDict(env_prefix="GORODOK_", extra="ignore", frozen=True)

    home: Path = Field(default=Path("var"), description="Where data live: landing, lake, state, logs")
    city: str = Field(default="gorodok", pattern=r"^[a-z][a-z0-9_-]{0,63}$", description="Folder under cities/")
    cities_dir: Path = Field(default=ROOT / "cities", description="Where the cities' folders are")

    mqtt_url: str = Field(
        default="mqtt://127.0.0.1:1893",
        description="Broker: mqtt://[user@]host:port, or mqtts:// for TLS; the embedded broker listens here in a demo",
    )
    mqtt_password: SecretStr | None = Field(default=None, description="Password of the broker's user")
    mqtt_ca_file: Path | None = Field(default=None, description="CA certificate for mqtts://")
    mqtt_version: Literal["5", "3.1.1"] = Field(default="5", description="MQTT version of our clients")
    gateway_group: str | None = Field(default=None, description="Shared subscription of gateways side by side")
    gateway_id: str = Field(default="gateway-1", description="MQTT client id; one of its own for each gateway")

    flush_ms: int = Field(default=50, ge=1, le=10_000, description="Longest wait of a message before it is fsynced, ms")
    seal_s: float = Field(default=60, gt=0, description="Age at which the landing log becomes a Parquet segment, s")
    seal_mb: int = Field(default=64, ge=1, description="Size at which the landing log becomes a Parquet segment, MB")
    max_payload_kb: int = Field(default=1_024, ge=1, description="A larger message goes to quarantine, KB")
    archive_days: int = Field(default=90, ge=1, description="Loaded segments are kept this long, days")

    lake_catalog: SecretStr | None = Field(
        default=None, description="PostgreSQL URI of the lake's catalog; empty: embedded PostgreSQL under home"
    )
    lake_data: str | None = Field(default=None, description="Where the lake's Parquet lies (folder or s3://…)")
    snapshot_days: int = Field(default=30, ge=0, description="How far back `query --at` can travel, days")

    host: str = Field(default="127.0.0.1", description="Address that our servers listen on")
    gateway_port: int = Field(default=8490, description="Gateway: /metrics and /health")
    dagster_port: int = Field(default=8491, description="Dagster UI")
    streamlit_port: int = Field(default=8492, description="Streamlit")
    simulator_port: int = Field(default=8493, description="Simulator: GTFS-RT, Open311, CAP servers")
    reflex_port: int = Field(default=8494, description="Reflex process: its API")
    reflex_token: SecretStr | None = Field(
        default=None, description="Bearer token of the reflex API; empty: the file keys/api-token under home"
    )
    reflex_id: str | None = Field(
        default=None, description="Name of this reflex process, one of its own for each; empty: host and process"
    )
    unsafe_live_doors: bool = Field(
        default=False, description="Live door scenarios on a broker without access lists: for tests only"
    )

    signin_port: int = Field(default=8495, description="The demo's sign-in, where a city has no provider of its own")
    pages_url: str | None = Field(
        default=None, pattern=r"^https?://", description="Address of the pages as people see it; empty: host and port"
    )
    oidc_issuer: str | None = Field(
        default=None, pattern=r"^https?://", description="OpenID Connect provider of the city: its issuer's address"
    )
    oidc_client_id: str | None = Field(default=None, description="What the pages are called at that provider")
    oidc_client_secret: SecretStr | None = Field(default=None, description="Secret of the pages at that provider")
    demo_signin: bool = Field(
        default=False, description="A sign-in without passwords, on this machine only; `gorodok demo` sets it"
    )

    survey_port: int = Field(default=8496, description="Inspectors' form (gorodok survey serve)")

    pseudonym_key: SecretStr = Field(
        default=SecretStr("gorodok-demo"), description="Key of the pseudonyms of personal data; set your own"
    )
    language: Literal["ru", "en"] = Field(default="ru", description="Language of reports and first page")

    @field_validator("reflex_token")
    @classmethod
    def _empty_is_none(cls, given: SecretStr | None) -> SecretStr | None:
        """An empty token would be equal to none at all: everybody's."""
        return given if given is not None and given.get_secret_value().strip() else None

    @property
    def landing_dir(self) -> Path:
        return self.home / "landing"

    @property
    def state_path(self) -> Path:
        return self.home / "state" / "city.sqlite"

    @property
    def lake_dir(self) -> Path:
        return self.home / "lake"

    @property
    def keys_dir(self) -> Path:
        return self.home / "keys"

    @property
    def ledger_path(self) -> Path:
        return self.home / "ledger" / "ledger.sqlite"

    @property
    def catalog_dir(self) -> Path:
        return self.home / "catalog"


@functools.lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process; `home` is made absolute so that a change of folder does not move the data."""
    found = Settings()
    return found.model_copy(update={"home": found.home.expanduser().resolve()})
