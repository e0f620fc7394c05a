"""`gorodok vision detect`: what the cameras' frames show, as camera events."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from apps.cli.output import NO, err, fail, print_json, print_table
from city.profile import load_city
from city.settings import Settings, settings
from ingest.broker.client import BrokerUnreachableError
from ingest.contracts.camera_event import CameraEvent
from ingest.publish import NotDeliveredError, Publisher, topic_of
from vision_jobs.camera import Camera, find_camera
from vision_jobs.classes import check_classes
from vision_jobs.errors import VisionError
from vision_jobs.publish import FEED, publish_to
from vision_jobs.run import Report, Rules, Sink, look
from vision_jobs.sources import FrameSource, camera_name, open_source
from vision_jobs.yolo import YoloDetector


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Камеры: от кадров к событиям / Cameras: from frames to events", no_args_is_help=True)
    group.callback()(lambda: None)  # one command must not swallow its own name
    group.command("detect")(detect)
    app.add_typer(group, name="vision")


def detect(
    *,
    weights: Annotated[Path, typer.Option(help="Файл весов ultralytics / Weights file (.pt, .onnx)")],
    source: Annotated[
        str, typer.Option(help="Папка с фото, видео или rtsp:// / Folder of photos, video file or rtsp:// URL")
    ],
    publish: Annotated[
        bool, typer.Option("--publish", help="Отправить события в шлюз и сохранить кадры / Send events, keep evidence")
    ] = False,
    camera: Annotated[str | None, typer.Option(help="Камера из реестра; иначе имя источника / Camera id")] = None,
    site: Annotated[str | None, typer.Option(help="Площадка; иначе из реестра города / Site id")] = None,
    confidence: Annotated[float, typer.Option(min=0, max=1, help="Наименьшая уверенность / Least confidence")] = 0.25,
    classes: Annotated[
        str | None, typer.Option(help="Только эти классы, через запятую / Only these classes, by comma")
    ] = None,
    every_s: Annotated[
        float, typer.Option(min=0, help="Видео: кадр раз в столько секунд / Video: one frame every so many seconds")
    ] = 1.0,
    started_at: Annotated[
        str | None, typer.Option(help="Начало видео, RFC 3339 / Start of the video; default: file time minus length")
    ] = None,
    imgsz: Annotated[
        int, typer.Option(min=32, max=2048, help="Сторона кадра для сети, пикс. / Network's input, px")
    ] = 320,
    device: Annotated[str | None, typer.Option(help="cpu, cuda:0, …")] = None,
    motion: Annotated[
        float,
        typer.Option(
            min=0,
            max=255,
            help="Пропускать кадры без изменений; 0 = нет, 8 для начала / Skip unchanged; 0 = off, 8 to start",
        ),
    ] = 0.0,
    limit: Annotated[int | None, typer.Option(min=1, help="Не больше кадров / Stop after so many frames")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Итог и события в JSON / Summary and events as JSON")] = False,
) -> None:
    """Найти объекты на кадрах / Find objects in frames. Ctrl-C ends a stream in good order.

    Exit code 0: looked at; 1: no frame could be read, or the broker did not take all; 2: wrong usage or input.
    """
    here = settings()
    shown: list[CameraEvent] = []
    rules = Rules(confidence, _classes(classes), motion, here.home if publish else None, limit)
    try:
        city = load_city(here)
        who = find_camera(city, camera or camera_name(source), site)
        topic_of(here.city, FEED, who.camera_id)  # its id must fit into a topic before the first frame is looked at
        frames = open_source(source, zone=city.timezone, every_s=every_s, started_at=_time(started_at))
        detector = YoloDetector(weights, image_px=imgsz, device=device, home=here.home / "vision" / "ultralytics")
        check_classes(rules.classes, detector.class_names)
        with _sink(here, publish, shown if as_json else None) as sink:
            report = _look(frames, detector, who, sink, rules)
    except VisionError as error:
        fail(str(error), error.remedy)
    except ValueError as error:
        fail(str(error))
    except (BrokerUnreachableError, NotDeliveredError) as error:
        fail(str(error), code=NO)
    _show(report, shown, as_json, publish)
    if report.frames and report.failed == report.frames:
        raise typer.Exit(NO)


def _look(frames: FrameSource, detector: YoloDetector, camera: Camera, sink: Sink, rules: Rules) -> Report:
    report = Report(detector.model)
    with _progress() as progress, contextlib.suppress(KeyboardInterrupt):
        task = progress.add_task(camera.camera_id, total=frames.expected, events=0, failed=0)
        for report in look(frames, detector, camera, sink, rules):
            progress.update(task, completed=report.frames, events=report.events, failed=report.failed)
    return report


@contextlib.contextmanager
def _sink(here: Settings, publish: bool, shown: list[CameraEvent] | None) -> Iterator[Sink]:
    """Events go to the broker with --publish, and into `shown` where the JSON summary wants them."""

    def show(events: list[CameraEvent]) -> None:
        if shown is not None:
            shown.extend(events)

    if not publish:
        yield show
        return
    with Publisher(here) as publisher:

        def send(events: list[CameraEvent]) -> None:
            publish_to(publisher, events[0].camera_id, events)
            show(events)

        yield send
        unheard = publisher.drain().unheard
    if unheard:
        err.print(
            f"[yellow]{unheard} сообщений никто не слушает: шлюз ещё не подключался / messages that nobody listens "
            "for: start `gorodok gateway` and repeat; a repeat makes no duplicates[/yellow]"
        )


def _classes(text: str | None) -> frozenset[str] | None:
    return frozenset(name.strip() for name in text.split(",") if name.strip()) if text else None


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"--started-at: {text!r} is no time; write it like 2026-03-01T07:30:00+03:00") from None
    if moment.tzinfo is None:
        raise ValueError(f"--started-at: {text!r} has no offset; add it, like {text}+03:00")
    return moment.astimezone(UTC)


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[events]} событий/events, {task.fields[failed]} битых/bad"),
        TimeElapsedColumn(),
        console=err,
        transient=True,
    )


def _show(report: Report, events: list[CameraEvent], as_json: bool, published: bool) -> None:
    summary: dict[str, Any] = dataclasses.asdict(report)
    summary |= {"by_class": dict(report.by_class), "published": published, "seconds": round(report.seconds, 3)}
    if as_json:
        print_json(summary | {"found": [event.model_dump(mode="json", exclude_none=True) for event in events]})
        return
    print_table(sorted(report.by_class.items()), ["класс/class", "событий/events"])
    for bad in report.bad_frames:
        err.print(f"[yellow]{bad.origin}[/yellow]: {bad.reason}", highlight=False)
    counts = ["frames", "analysed", "unchanged", "failed", "events", "evidence_frames", "seconds", "published"]
    print_table([summary], counts)
