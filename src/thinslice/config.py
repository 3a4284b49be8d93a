"""Every setting, with its default, its unit and one sentence.

Read from the environment (`THINSLICE_PORT=9000`), else from `thinslice.toml` in the folder the
command is run in, else from the defaults here. `thinslice config` shows the values in force.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from thinslice.errors import InputError

FILE = "thinslice.toml"


class Settings(BaseSettings):
    """The settings of one data directory and the service over it."""

    model_config = SettingsConfigDict(
        env_prefix="THINSLICE_",
        toml_file=FILE,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
    )

    data: Path = Field(
        default=Path("thinslice-data"), description="The folder that holds everything."
    )

    # serving
    host: str = Field(default="127.0.0.1", description="The address that the service listens on.")
    port: int = Field(
        default=8080, ge=0, le=65535, description="The port that the service listens on."
    )
    workers: int = Field(
        default_factory=lambda: min(4, os.cpu_count() or 1), ge=1, description="Worker processes."
    )
    link_hours: float = Field(default=24, gt=0, description="Hours until a shared link expires.")
    max_in_flight: int = Field(
        default=64,
        ge=1,
        description="Requests that one worker takes on before it answers 503; four times as many "
        "short questions that take it a fraction of a millisecond.",
    )
    max_waiting_events: int = Field(
        default=20_000, ge=1, description="Event lines that may wait for a commit before 503."
    )
    max_batch_bytes: int = Field(
        default=500_000, ge=1, description="Largest body of /v1/batch, in bytes."
    )
    max_photo_bytes: int = Field(
        default=12_000_000, ge=1, description="Largest photo that is searched with, in bytes."
    )
    max_event_bytes: int = Field(
        default=32_000, ge=1, description="Largest single event, in bytes."
    )

    # the log
    session_gap_minutes: float = Field(
        default=30, gt=0, description="A visitor's pause, in minutes, that ends a session."
    )
    hot_max_events: int = Field(
        default=200_000, ge=1, description="Event lines in a hot file before a new one is begun."
    )
    hot_max_minutes: float = Field(
        default=10, gt=0, description="Age of a hot file at which it is closed."
    )
    seal_seconds: float = Field(
        default=30, gt=0, description="Pause between two rounds of sealing."
    )
    day_max_segments: int = Field(
        default=8,
        ge=1,
        description="Segments of a day that is over, above which they are merged into one.",
    )

    # learning
    session_max_products: int = Field(
        default=50,
        ge=2,
        description="Products of a session that a model looks at, the latest ones.",
    )
    neighbours: int = Field(
        default=200,
        ge=1,
        description="Past sessions that vote, before tuning: k of the session kNN.",
    )
    sample: int = Field(
        default=2500,
        ge=1,
        description="Latest past sessions looked at, before tuning: m of the session kNN.",
    )
    may_repeat: bool = Field(
        default=False,
        description="Whether the product at hand may be recommended, if that foretells more.",
    )
    buy_again: bool = Field(
        default=False,
        description="Whether what was bought in a visit may be shown again in it.",
    )
    fold_minutes: float = Field(
        default=15,
        ge=0,
        description="Pause after which new sessions are folded into the model; 0 never does.",
    )
    popularity_half_life_days: float = Field(
        default=7, gt=0, description="Days after which an event counts half for popularity."
    )

    # experiments
    watch_minutes: float = Field(
        default=60,
        ge=0,
        description="Pause between two looks at the running experiments; 0 never looks.",
    )
    stop_on_broken_guardrail: bool = Field(
        default=False,
        description="Whether an experiment that breaks a guardrail is stopped at once.",
    )
    notice_webhook: str = Field(
        default="",
        pattern="^(https?://.+)?$",
        description="The address to which a notice is posted as JSON.",
    )
    notice_secret: SecretStr = Field(
        default=SecretStr(""), description="The secret that signs what is posted, HMAC-SHA256."
    )
    notice_email: str = Field(
        default="", description="Who gets a notice as e-mail, separated by commas."
    )
    public_url: str = Field(
        default="",
        pattern="^(https?://.+)?$",
        description="The address under which people open the pages, for links in notices.",
    )
    smtp_host: str = Field(default="localhost", description="The server that sends e-mail.")
    smtp_port: int = Field(default=25, ge=1, le=65535, description="The port of that server.")
    smtp_from: str = Field(
        default="thinslice@localhost", description="The address that e-mail comes from."
    )
    smtp_user: str = Field(default="", description="The name to sign in with there, if any.")
    smtp_password: SecretStr = Field(
        default=SecretStr(""), description="The password to sign in with there."
    )
    smtp_tls: bool = Field(
        default=False, description="Whether e-mail is sent encrypted only (STARTTLS)."
    )

    # outcomes
    attribution_days: float = Field(
        default=7,
        ge=0,
        le=365,
        description="Days after a click on a list within which an order belongs to it.",
    )
    vat_rate: float = Field(
        default=0,
        ge=0,
        le=1,
        description="Value-added tax in the log's prices, as a share of the net price.",
    )
    margin_share: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Share of net revenue that is margin, where a product's cost is not known.",
    )
    bot_events_per_minute: int = Field(
        default=120, ge=1, description="Events in a minute above which a visitor is a robot."
    )
    bot_views: int = Field(
        default=300,
        ge=1,
        description="Product views of a session without cart or order that only a robot makes.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))


def read_settings(**given: Any) -> Settings:
    """The settings in force, with what is given on top; InputError names one that is wrong."""
    try:
        return Settings(**given)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{FILE} must be TOML, such as port = 9000: {error}") from error
    except ValidationError as error:
        raise InputError(_first_wrong(error)) from error


def _first_wrong(error: ValidationError) -> str:
    found = error.errors()[0]
    name = str(found["loc"][0])
    if found["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, Settings.model_fields, n=1)
        hint = f"did you mean {near[0]}?" if near else "thinslice config shows those there are"
        return f"there is no setting {name!r}; {hint}"
    rule = found["msg"].removeprefix("Input should ")
    return (
        f"{name} must {rule}, got {found['input']!r}; correct the option, "
        f"THINSLICE_{name.upper()} or {FILE}"
    )


def describe(settings: Settings) -> list[tuple[str, str, str]]:
    """Every setting as (name, value in force, meaning)."""
    return [
        (name, str(getattr(settings, name)), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
