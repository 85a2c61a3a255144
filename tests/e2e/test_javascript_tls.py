"""The stock `openai` for JavaScript, unmodified, talks with the server over TLS: it speaks nothing else."""

from __future__ import annotations

from pathlib import Path

from .conftest import Certificate
from .javascript import converse, needs_node
from .serving import Served
from .stories import check_heard, check_story

pytestmark = needs_node


def test_conversation_with_an_interruption(
    talkative_tls_server: Served, certificate: Certificate, speech: Path
) -> None:
    told = converse("openai_npm.mjs", "talk", talkative_tls_server, speech, authority=certificate.authority)

    check_story(told)
    check_heard(told)
    assert told["errors"] == []
    assert told["mistakes"] == []
