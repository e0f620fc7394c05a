"""New frames of the cameras → camera events at the gateway. Loads, and says what is missing, without ultralytics."""

from datetime import timedelta

import dagster as dg

from city.settings import Settings
from ingest.contracts.camera_event import CameraEvent
from vision_jobs.errors import VisionError
from vision_jobs.frames_job import JobReport, look_at_new_frames, weights_of
from vision_jobs.inbox import Inbox

JOB = "look_at_frames"
LOOK_EVERY = timedelta(seconds=30)


def definitions(settings: Settings) -> dg.Definitions:
    @dg.asset(
        key=["vision", "frames"],
        group_name=CameraEvent.spec.code,
        kinds={"python", "ultralytics"},
        description=(
            "Photos of `<home>/frames/<camera>/` that were not looked at yet, through the weights "
            "`<home>/weights/cameras.pt`; the events go to the gateway by MQTT and land like any device's. "
            "Frames and evidence older than the city's `frames_days` are deleted."
        ),
    )
    def frames() -> dg.MaterializeResult:
        try:
            return dg.MaterializeResult(metadata=_metadata(look_at_new_frames(settings)))
        except VisionError as error:
            # the same missing file would be missing at each retry too
            raise dg.Failure(f"{error}. {error.remedy}", allow_retries=False) from error

    job = dg.define_asset_job(JOB, selection=dg.AssetSelection.assets(frames), executor_def=dg.in_process_executor)

    @dg.sensor(
        job=job,
        minimum_interval_seconds=int(LOOK_EVERY.total_seconds()),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="New photos of a camera: look at them. Does nothing while there are no weights",
    )
    def frames_sensor(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        new = Inbox(settings.home).new_photos()
        if not new:
            return dg.SkipReason(f"no new photo under {settings.home / 'frames'}/<camera>/")
        if not weights_of(settings).is_file():
            return dg.SkipReason(f"{sum(map(len, new.values()))} new photos, but no weights at {weights_of(settings)}")
        if _is_running(context.instance):
            return dg.SkipReason("the last look is still going on")
        return dg.RunRequest()

    return dg.Definitions(assets=[frames], jobs=[job], sensors=[frames_sensor])


def _is_running(instance: dg.DagsterInstance) -> bool:
    under_way = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
    return bool(instance.get_runs(dg.RunsFilter(job_name=JOB, statuses=under_way), limit=1))


def _metadata(report: JobReport) -> dict[str, dg.MetadataValue]:
    counts = ("frames", "analysed", "unchanged", "failed", "events", "evidence_frames")
    rows = [
        f"| {camera} | {seen.analysed} | {seen.failed} | {seen.events} | {dict(seen.by_class)} |"
        for camera, seen in report.by_camera.items()
    ]
    table = "\n".join(["| camera | analysed | failed | events | classes |", "| --- | --- | --- | --- | --- |", *rows])
    return {
        **{count: dg.MetadataValue.int(report.total(count)) for count in counts},
        "removed_pictures": dg.MetadataValue.int(report.removed),
        "by_camera": dg.MetadataValue.md(table),
    }
