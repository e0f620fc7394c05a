"""Notices to people: a city's audiences and channels, texts in two languages, an outbox that outlives the process.

`notices` reads `cities/<city>/notices.toml`; `template` fills a text; `outbox` keeps on disk what is to be said and
what became of it; `policy` says when; `channel` hands one message to apprise; `notifier` is the thread of it all.
The reflex process calls `Notifier.submit`, which waits for nobody.
"""
