// The network first; without it what was seen last: the page of the route and its files open on a phone without signal.
const KEPT = "survey-1";
const FILES = ["/survey.js", "/survey.css"];
self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(KEPT).then((cache) => cache.addAll(FILES)).then(() => self.skipWaiting()));
});
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET") return;
  event.respondWith((async () => {
    const cache = await caches.open(KEPT);
    try {
      const fresh = await fetch(event.request);
      if (fresh.ok) await cache.put(event.request, fresh.clone());
      if (fresh.status < 500) return fresh;
    } catch (error) { /* no network: below */ }
    return (await cache.match(event.request)) || Response.error();
  })());
});
