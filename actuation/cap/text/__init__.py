"""Alerts that come as text (a channel's message, a fax, a webhook): a rule file makes CAP drafts of them.

read_text(text, source, rules, zones, now, known) → drafts; a duty officer confirms, or a trusted source acts at once.
"""

from __future__ import annotations

from actuation.cap.text.drafting import Draft, read_text
from actuation.cap.text.rules import TextRules, TextRulesError, load_text_rules
from actuation.cap.text.store import DraftStore

__all__ = ["Draft", "DraftStore", "TextRules", "TextRulesError", "load_text_rules", "read_text"]
