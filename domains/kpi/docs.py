"""The catalogue as a page of the docs."""

from __future__ import annotations

from domains.kpi.catalogue import Catalogue, Kpi

DOMAINS = {
    "transit": "Транспорт / Transit",
    "water": "Вода / Water",
    "appeals": "Обращения / Appeals",
    "cameras": "Камеры и площадки / Cameras and sites",
    "alerts": "Оповещения и команды / Alerts and commands",
    "platform": "Платформа / Platform",
}


def markdown(found: Catalogue) -> str:
    """One table of all KPIs, then a heading per KPI with its words, formula, source and target."""
    lines = [
        "| Код / code | Показатель / KPI | Ед. / unit | Лучше / better | Цель / target |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| [`{one.code}`](#{one.code}) | {one.name.ru} / {one.name.en} | {one.unit} | "
        f"{'больше / higher' if one.better == 'higher' else 'меньше / lower'} | {_target(one)} |"
        for one in found.kpis
    ]
    for domain, title in DOMAINS.items():
        lines += ["", f"## {title}"]
        for one in found.kpis:
            if one.domain == domain:
                lines += ["", *_section(one, found)]
    return "\n".join(lines) + "\n"


def _section(one: Kpi, found: Catalogue) -> list[str]:
    lines = [
        f"### {one.code}",
        "",
        f"{one.name.ru} / {one.name.en}, {one.unit}",
        "",
        f"- Формула / formula: {one.formula}",
        f"- Числитель / numerator: {one.numerator.ru} / {one.numerator.en}",
        f"- Знаменатель / denominator: {one.denominator.ru} / {one.denominator.en}",
        f"- Источник / source: {one.source.text}" + (f" ({one.source.url})" if one.source.url else ""),
    ]
    if one.target is not None:
        lines.append(f"- Цель / target: {_target(one)} ({found.targets[one.target.whose]})")
    lines.append(f"- Потоки / feeds: {', '.join(one.feeds)}; модель / model: `{one.model}`")
    return lines


def _target(one: Kpi) -> str:
    if one.target is None:
        return "–"
    return f"{'≥' if one.better == 'higher' else '≤'} {one.target.value:g}"
