"""The people of the demo's sign-in. Their roles are those of `cities/gorodok/roles.toml`, by mail address."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DemoPerson:
    sub: str
    name: str
    about_ru: str
    about_en: str

    @property
    def mail(self) -> str:
        return f"{self.sub}@gorodok.example"


PEOPLE = (
    DemoPerson("duty1", "Анна Дежурная", "дежурный", "duty officer"),
    DemoPerson("duty2", "Борис Сменный", "второй дежурный", "second duty officer"),
    DemoPerson("admin", "Вера Главная", "администратор", "administrator"),
    DemoPerson("viewer", "Глеб Смотрящий", "наблюдатель, кнопок нет", "viewer, no buttons"),
)
