"use strict";
// Visits are written into localStorage before anything else, and leave it when the server says that the broker has them.
const WORDS = {
  ru: {
    title: "Обход счётчиков", other: "English", synced: "Всё отправлено", empty: "Визитов пока нет", offline: "нет связи",
    waiting: (n) => `Не отправлено: ${n}`, sync: "Отправить", save: "Сохранить визит", again: "Ещё визит сюда",
    meter: "Номер счётчика (с корпуса)", reading: "Показание, м³", note: "Заметка", choose: "Выберите, что нашли",
    bad_reading: "Показание — число, например 123,456", visited: (n) => `визитов: ${n}`, refused: "Не принято",
    metres: (n) => `${n} м от прошлого`, worth: (n) => `польза ${n} ₽`, full: "Память телефона полна: визит не сохранён",
    result: { ok: "Исправен", dead: "Стоит", replaced: "Заменён", repaired: "Починен", unmetered_use: "Мимо счётчика",
      seal_broken: "Пломба сорвана", no_access: "Не пустили", other: "Другое" },
  },
  en: {
    title: "Meter survey", other: "Русский", synced: "Everything is sent", empty: "No visits yet", offline: "no network",
    waiting: (n) => `Not sent: ${n}`, sync: "Send", save: "Save the visit", again: "Another visit here",
    meter: "Meter's number (on its body)", reading: "Reading, m³", note: "Note", choose: "Choose what you found",
    bad_reading: "A reading is a number, 123.456", visited: (n) => `visits: ${n}`, refused: "Not accepted",
    metres: (n) => `${n} m from the last`, worth: (n) => `worth ${n} RUB`, full: "The phone's memory is full: not saved",
    result: { ok: "Works", dead: "Stands still", replaced: "Replaced", repaired: "Repaired", unmetered_use: "Past the meter",
      seal_broken: "Seal broken", no_access: "Not let in", other: "Other" },
  },
};
const route = JSON.parse(document.getElementById("route").textContent);
const here = location.pathname.replace(/\/$/, "");
const KEY = `visits:${here}`;
const AGAIN_MS = 5000;
let language = localStorage.getItem("language") || "ru";
let sending = false;
let reached = true;

const words = () => WORDS[language];
const kept = () => JSON.parse(localStorage.getItem(KEY) || "[]");
const keep = (visits) => localStorage.setItem(KEY, JSON.stringify(visits));
const unsent = () => kept().filter((one) => !one.sent && !one.refused);
const whole = (number) => Math.round(number).toLocaleString(language === "ru" ? "ru-RU" : "en-GB");

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return "v-" + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function tellState() {
  const count = unsent().length, all = kept().length;
  const text = count ? words().waiting(count) + (reached ? "" : ` · ${words().offline}`) : all ? words().synced : words().empty;
  document.getElementById("said").textContent = text;
  document.getElementById("state").className = count ? "waiting" : "";
  const button = document.getElementById("sync");
  button.textContent = words().sync;
  button.hidden = !count;
}

async function sync() {
  const visits = unsent();
  if (sending || !visits.length) { tellState(); return; }
  sending = true;
  try {
    const body = JSON.stringify(visits.map(({ sent, refused, ...told }) => told));
    const answer = await fetch(`${here}/visits`, { method: "POST", body, headers: { "Content-Type": "application/json" } });
    reached = answer.ok;
    if (answer.ok) {
      const told = await answer.json();
      const gone = new Set(told.accepted), bad = new Map(told.refused.map((one) => [one.visit_id, one.why]));
      keep(kept().map((one) => ({ ...one, sent: one.sent || gone.has(one.visit_id),
        ...(bad.has(one.visit_id) ? { refused: bad.get(one.visit_id) } : {}) })));
    }
  } catch (error) {
    reached = false;
  } finally {
    sending = false;
    tellState();
    markStops();
  }
}

function markStops() {
  for (const card of document.querySelectorAll(".stop")) {
    const mine = kept().filter((one) => one.house_id === card.dataset.house);
    const mark = card.querySelector(".done");
    mark.textContent = mine.length ? "✓ " + mine.map((one) => words().result[one.result]
      + (one.refused ? ` (${words().refused}: ${one.refused})` : "")).join(", ") : "";
  }
}

function card(stop, number) {
  const box = element("section", "", { class: "stop", "data-house": stop.house_id });
  const head = element("button", "", { type: "button", "aria-expanded": "false" });
  head.append(element("b", `${number}. ${stop.address}`));
  head.append(element("small", `${words().metres(whole(stop.metres))} · ${words().worth(whole(stop.expected_rub))}`));
  head.append(element("small", "", { class: "done" }));
  const form = element("div", "", { class: "form", hidden: "" });
  head.addEventListener("click", () => {
    form.hidden = !form.hidden;
    head.setAttribute("aria-expanded", String(!form.hidden));
  });
  const why = element("ul", "", { class: "why" });
  for (const reason of language === "ru" ? stop.reasons_ru : stop.reasons_en) why.append(element("li", reason));
  form.append(why);
  fill(form, stop, head);
  box.append(head, form);
  return box;
}

function fill(form, stop, head) {
  let result = null;
  const choices = element("div", "", { class: "choices", role: "group", "aria-label": words().choose });
  for (const [code, name] of Object.entries(words().result)) {
    const button = element("button", name, { type: "button", "aria-pressed": "false", "data-result": code });
    button.addEventListener("click", () => {
      result = code;
      for (const other of choices.children) other.setAttribute("aria-pressed", String(other === button));
    });
    choices.append(button);
  }
  const field = (name, tag, attributes) => {
    const label = element("label", words()[name]), input = element(tag, "", attributes);
    label.append(input);
    form.append(label);
    return input;
  };
  form.append(choices);
  const meter = field("meter", "input", { autocomplete: "off", maxlength: "128", name: "meter" });
  const reading = field("reading", "input", { inputmode: "decimal", autocomplete: "off", maxlength: "20", name: "reading" });
  const note = field("note", "textarea", { rows: "2", maxlength: "2000", name: "note" });
  const error = element("p", "", { class: "error", role: "alert" });
  const save = element("button", words().save, { type: "button", class: "main" });
  save.addEventListener("click", () => {
    const value = reading.value.trim().replace(/\s/g, "").replace(",", ".");
    if (!result) { error.textContent = words().choose; return; }
    if (value && !/^\d{1,9}(\.\d{1,6})?$/.test(value)) { error.textContent = words().bad_reading; return; }
    const visit = { visit_id: newId(), event_time: new Date().toISOString(), house_id: stop.house_id, result };
    if (meter.value.trim()) visit.meter_id = meter.value.trim();
    if (value) visit.reading_m3 = Number(value);
    if (note.value.trim()) visit.note = note.value.trim();
    try { keep([...kept(), visit]); } catch (full) { error.textContent = words().full; return; }
    error.textContent = "";
    result = null;
    for (const other of choices.children) other.setAttribute("aria-pressed", "false");
    meter.value = reading.value = note.value = "";
    form.hidden = true;
    head.setAttribute("aria-expanded", "false");
    markStops();
    tellState();
    sync();
  });
  form.append(error, save);
}

function draw() {
  document.documentElement.lang = language;
  document.title = words().title;
  document.getElementById("title").textContent = words().title;
  const day = new Date(route.made_at).toLocaleDateString(language === "ru" ? "ru-RU" : "en-GB", { day: "numeric", month: "long" });
  document.getElementById("who").textContent = `${route.inspector} · ${day}`;
  document.getElementById("language").textContent = words().other;
  document.getElementById("stops").replaceChildren(...route.stops.map((stop, index) => card(stop, index + 1)));
  markStops();
  tellState();
}

document.getElementById("language").addEventListener("click", () => {
  language = language === "ru" ? "en" : "ru";
  localStorage.setItem("language", language);
  draw();
});
document.getElementById("sync").addEventListener("click", sync);
window.addEventListener("online", sync);
setInterval(sync, AGAIN_MS);
draw();
sync();
if ("serviceWorker" in navigator) {
  navigator.serviceWorker.register("/sw.js").then(() => navigator.serviceWorker.ready)
    .then(() => caches.open("survey-1")).then((cache) => cache.add(here)).catch(() => {});
}
