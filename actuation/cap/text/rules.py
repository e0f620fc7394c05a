"""cities/<city>/alert_rules.yaml: which words are an alert, which are not, and what the draft says."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from city.settings import Settings
from ingest.contracts.alert import Category

FILE = "alert_rules.yaml"
MAX_PATTERN = 300


class TextRulesError(ValueError):
    """alert_rules.yaml is wrong; the text names file, key and remedy."""


def _pattern(value: str) -> str:
    """Patterns are matched on lower-case text with е for ё and single spaces."""
    if len(value) > MAX_PATTERN:
        raise ValueError(f"a pattern of {len(value)} characters: at most {MAX_PATTERN}")
    if value != value.lower() or "ё" in value:
        raise ValueError("write patterns in lower case, with е for ё: so is the text that they are matched on")
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error
    return value


Pattern = Annotated[str, AfterValidator(_pattern)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Words(_Model):
    """The same in both languages."""

    ru: str = Field(min_length=1, max_length=2_000)
    en: str = Field(min_length=1, max_length=2_000)


class Rule(_Model):
    """One hazard. begins: patterns that declare it; ends: patterns that call it off."""

    code: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", description="Short name")
    begins: list[Pattern] = Field(min_length=1, description="Any of these declares the alert")
    ends: list[Pattern] = Field(default=[], description="Any of these is the all-clear")
    event: Words = Field(description="CAP <event>")
    category: Category = Field(default="Safety", description="CAP <category>")
    severity: Literal["Extreme", "Severe", "Moderate", "Minor"] = Field(default="Extreme", description="CAP <severity>")
    urgency: Literal["Immediate", "Expected", "Future"] = Field(default="Immediate", description="CAP <urgency>")
    certainty: Literal["Observed", "Likely", "Possible"] = Field(default="Likely", description="CAP <certainty>")
    response: Literal["Shelter", "Evacuate", "Prepare", "Avoid", "Monitor"] = Field(
        default="Shelter", description="CAP <responseType>"
    )
    instruction: Words = Field(description="CAP <instruction>")
    lasts_min: int = Field(default=180, ge=1, le=1_440, description="In force for so long unless called off, minutes")


class Places(_Model):
    """whole: patterns that mean all zones. other: patterns of a place that is named. unnamed: no place is named."""

    whole: list[Pattern] = Field(default=[], description="These words mean the whole city")
    other: list[Pattern] = Field(default=[], description="These words name some place")
    unnamed: Literal["city", "ask"] = Field(default="ask", description="A text without a place: the city, or a person")


class TextRules(_Model):
    """The whole file."""

    max_chars: int = Field(default=700, ge=20, le=5_000, description="A longer text is an article, not an alert")
    not_alerts: list[Pattern] = Field(default=[], description="A sentence with any of these is no alert")
    exercise: list[Pattern] = Field(default=[], description="A text with any of these is an Exercise")
    places: Places = Places()
    rules: list[Rule] = Field(default=[], description="Hazards, the first that fits a sentence counts")

    @model_validator(mode="after")
    def _codes_differ(self) -> Self:
        codes = [rule.code for rule in self.rules]
        if twice := sorted({code for code in codes if codes.count(code) > 1}):
            raise ValueError(f"rule {twice[0]!r} stands twice: give each its own code")
        return self

    @cached_property
    def never(self) -> re.Pattern[str]:
        return _any(self.not_alerts)

    @cached_property
    def drills(self) -> re.Pattern[str]:
        return _any(self.exercise)

    @cached_property
    def everywhere(self) -> re.Pattern[str]:
        return _any(self.places.whole)

    @cached_property
    def somewhere(self) -> re.Pattern[str]:
        return _any(self.places.other)

    @cached_property
    def hazards(self) -> tuple[tuple[Rule, re.Pattern[str], re.Pattern[str]], ...]:
        """(rule, begins, ends)."""
        return tuple((rule, _any(rule.begins), _any(rule.ends)) for rule in self.rules)


def _any(patterns: list[str]) -> re.Pattern[str]:
    """Any of them; nothing where there are none."""
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns) or r"(?!)")


def load_text_rules(settings: Settings) -> TextRules | None:
    """None where the city reads no texts. TextRulesError names what is wrong."""
    path = settings.cities_dir / settings.city / FILE
    if not path.exists():
        return None
    try:
        told: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return TextRules.model_validate(told or {})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise TextRulesError(f"{path}: {where}: {first['msg']}, got {str(first.get('input'))[:200]!r}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TextRulesError(f"{path}: no YAML in UTF-8: {error}") from error
