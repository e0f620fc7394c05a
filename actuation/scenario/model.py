"""One scenario, as its YAML file says it; the file is the only definition of what happens."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Literal, Self

from pydantic import Field, model_validator

from actuation.scenario.condition import Condition, Model
from actuation.scenario.step import Code, CommandStep, EndingStep, Step, Words, name_of
from actuation.scenario.trigger import CameraTrigger, DeviceTrigger, Seconds, Trigger
from city.problem import at_key

COMMANDED = ("alert", "button", "schedule")
"""Triggers behind which stands a person or a trusted sender, and not one sensor."""


class Timers(Model):
    """When a run ends by itself."""

    max_hold_s: Seconds = Field(description="The run ends at the latest so long after its start")
    quiet_s: Seconds | None = Field(default=None, description="It ends so long after the last event that called for it")
    cooldown_s: Seconds | None = Field(
        default=None, description="The same subject starts no new run so long after an end"
    )


class Scenario(Model):
    """What starts it, under which conditions, what it does, when it ends."""

    scenario: Code = Field(description="The file's name without .yaml")
    title: Words
    about: Words | None = Field(default=None, description="Why it exists, for people")
    mode: Literal["live", "drill", "shadow"] = Field(
        description="live: acts; drill: devices answer and nothing moves; shadow: only the ledger knows"
    )
    per: Literal["entity", "site", "city"] = Field(
        default="entity",
        description="One run at a time for each: entity (alert, incident, feed, device), site, or the whole city",
    )
    triggers: tuple[Trigger, ...] = Field(min_length=1)
    conditions: tuple[Condition, ...] = Field(default=(), description="All must hold for a start")
    keeps: tuple[DeviceTrigger | CameraTrigger, ...] = Field(
        default=(), description="Events that begin nothing but keep a run from ending by quiet_s"
    )
    ends: tuple[Trigger, ...] = Field(default=(), description="Events that end the run of the same subject")
    steps: tuple[Step, ...] = Field(min_length=1)
    at_end: tuple[EndingStep, ...] = ()
    timers: Timers
    guards_doors: bool = Field(
        default=False, description="No door in its zones is locked while it runs, even where it opened none"
    )
    untrusted: Literal["inform", "ignore"] = Field(
        default="inform", description="Of an alert that nobody vouches for the duty officer is told, or is not"
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        names = [name_of(index, step) for index, step in enumerate(self.steps)]
        names += [name_of(index, step, "end_") for index, step in enumerate(self.at_end)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise at_key("steps.name", ", ".join(twice), "used twice: give each step a name of its own")
        if self.per != "entity" and any(each.on == "alert" for each in self.triggers):
            raise at_key("per", self.per, "each alert has a run of its own: leave `per` out, or the alert trigger")
        if self.keeps and self.timers.quiet_s is None:
            raise at_key("keeps", f"{len(self.keeps)} triggers", "nothing to keep: add timers.quiet_s, or remove it")
        bare = [each.on for each in self.triggers if each.on not in COMMANDED and each.confirm_within_s is None]
        for index, step in enumerate(self.steps):
            if only_after := getattr(step, "on", ()):
                raise at_key(f"steps.{index}.on", str(list(only_after)), "only a step of at_end has it: move it there")
            if isinstance(step, CommandStep) and step.after_s >= self.timers.max_hold_s:
                raise at_key(f"steps.{index}.after_s", step.after_s, "comes after max_hold_s, when the run is over")
            if isinstance(step, CommandStep) and step.action == "unlock" and self.mode == "live" and bare:
                remedy = "a sensor alone never opens doors live: add confirm_within_s to this trigger"
                raise at_key(f"steps.{index}.action", f"unlock after {bare[0]}", remedy)
        return self

    @property
    def version(self) -> str:
        """Short hash of the file's meaning: comments, order of keys and defaults written out change nothing."""
        meaning = json.dumps(self.model_dump(mode="json", by_alias=True), sort_keys=True, ensure_ascii=False)
        return sha256(meaning.encode()).hexdigest()[:12]
