"""What a scenario does. A command says in the same place how it ends: what was begun is always ended."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from actuation.scenario.condition import Condition, Model
from actuation.scenario.trigger import Seconds
from city.layers import Id
from city.problem import at_key
from ingest.contracts.alert import Category

Text = Annotated[str, Field(min_length=1, max_length=512)]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
DeviceKind = Literal["door", "lamp", "siren", "display"]
Reason = Literal["all_clear", "cancelled", "updated", "expired", "max_hold", "quiet", "ended", "stopped", "moved"]
"""Why a run, or its hold on a zone, ends. moved: an Update no longer names the zone."""

REASONS: tuple[Reason, ...] = (
    "all_clear", "cancelled", "updated", "expired", "max_hold", "quiet", "ended", "stopped", "moved",
)  # fmt: skip


class Words(Model):
    """The same in two languages."""

    ru: Text
    en: Text


class _Step(Model):
    name: Code | None = Field(default=None, description="Told in the ledger; otherwise number and kind of the step")
    when: tuple[Condition, ...] = Field(default=(), description="All must hold, or the step is left out")
    after_s: float = Field(default=0, ge=0, le=86_400, description="So long after the start")


class ThenLock(Model):
    """Doors are locked so long after the end, once no other run holds them. A locked door never keeps anybody in."""

    action: Literal["lock"]
    after_s: float = Field(ge=0, le=86_400, description="Time to leave, seconds")
    on: tuple[Reason, ...] = Field(
        default=REASONS, min_length=1, description="Ends that lock; after others a person does"
    )


class _EndingStep(_Step):
    on: tuple[Reason, ...] = Field(default=(), description="In at_end: only after these ends; none: after any")


class CommandStep(_Step):
    """Doors, lamps, sirens. light_on and siren_on are always followed by their off; unlock says what follows."""

    do: Literal["command"]
    action: Literal["unlock", "light_on", "siren_on"]
    kinds: tuple[DeviceKind, ...] = Field(default=(), description="Which devices there")
    where: Literal["zones", "site", "city"] = Field(default="zones", description="zones and site: those of the event")
    devices: tuple[Id, ...] = Field(default=(), description="These devices and no others")
    level: Annotated[int, Field(ge=1, le=100)] | None = Field(default=None, description="Brightness, percent")
    repeat_s: Seconds | None = Field(default=None, description="Sent again so often while the run lasts")
    lease_s: Seconds | None = Field(
        default=None, description="A command holds so long; none: until the run must end at the latest"
    )
    then: ThenLock | Literal["stay_unlocked"] | None = Field(default=None, description="Only of unlock: what follows")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.kinds) == bool(self.devices):
            raise at_key("steps.command.kinds", str(list(self.kinds)), "name `kinds` or `devices`, one of the two")
        if self.action == "unlock" and self.then is None:
            raise at_key(
                "steps.command.then", "missing", "say what follows: {action: lock, after_s: …} or stay_unlocked"
            )
        if self.action != "unlock" and self.then is not None:
            raise at_key("steps.command.then", self.action, "only unlock has it: lamps and sirens always go off")
        if self.lease_s is not None and self.repeat_s is None:
            raise at_key("steps.command.lease_s", self.lease_s, "add repeat_s, shorter than the lease")
        if self.lease_s is not None and self.repeat_s is not None and self.repeat_s >= self.lease_s:
            raise at_key("steps.command.repeat_s", self.repeat_s, "must be shorter than lease_s")
        return self


class ShowStep(_EndingStep):
    """Text on displays; Restricted and Private alerts are never shown."""

    do: Literal["show"]
    text: Words | None = Field(default=None, description="None: the headline of the alert")
    where: Literal["zones", "site", "city"] = "zones"
    devices: tuple[Id, ...] = ()
    repeat_s: Seconds | None = None
    then: Words | None = Field(default=None, description="Shown at the end")


class NotifyStep(_EndingStep):
    do: Literal["notify"]
    audience: Code = Field(description="Key of the city's notices.toml")
    template: Code
    severity: Literal["critical", "major", "minor"] = "major"


class CapStep(_Step):
    """A CAP alert of ours onward: the alert that came, or one of these words. The end of the run cancels it,
    unless it is an end by time: nobody said then that the danger is over."""

    do: Literal["publish_cap"]
    pass_on: bool = Field(default=False, description="The alert that came, where one came; otherwise these words")
    event: Words | None = None
    headline: Words | None = None
    instruction: Words | None = None
    category: Category = "Safety"
    severity: Literal["Extreme", "Severe", "Moderate", "Minor", "Unknown"] = "Severe"
    urgency: Literal["Immediate", "Expected", "Future", "Past", "Unknown"] = "Immediate"
    certainty: Literal["Observed", "Likely", "Possible", "Unlikely", "Unknown"] = "Likely"
    response: Literal["Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear"] = "Monitor"

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.event is None:
            raise at_key(
                "steps.publish_cap.event", "missing", "write the words, also beside pass_on: a button has none"
            )
        return self


class IncidentStep(_Step):
    """Opens an incident; the end of the run closes it. Not in a drill."""

    do: Literal["open_incident"]
    kind: Literal["feed_silent", "command_unanswered", "run_failed", "check_failed", "camera", "alert", "other"] = (
        "other"
    )
    severity: Literal["critical", "major", "minor"] = "major"
    title: Words


class TaskStep(_EndingStep):
    """Opens a request with executor and deadline. Not in a drill."""

    do: Literal["open_task"]
    service: Code = Field(description="service_code of city.toml: executor and deadline are the service's")
    description: Words


class EndStep(_Step):
    """Ends the runs of other scenarios in the zones of this one (all-clear).

    After an alert: only the hazard that it names, and only its own sender's runs, or those that a button began."""

    do: Literal["end_runs"]
    scenarios: tuple[Code, ...] = Field(min_length=1)


Step = Annotated[
    CommandStep | ShowStep | NotifyStep | CapStep | IncidentStep | TaskStep | EndStep, Field(discriminator="do")
]
EndingStep = Annotated[NotifyStep | ShowStep | TaskStep, Field(discriminator="do")]


def name_of(index: int, step: Any, prefix: str = "") -> str:
    return str(step.name or f"{prefix}{index + 1}_{getattr(step, 'action', step.do)}")
