"""`tandem report`: reports on recorded conversations, read from the store without a server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Literal

from tandem_server.config import load
from tandem_server.errors import ConfigurationError
from tandem_server.record.records import ConversationRecord, TurnStore
from tandem_server.record.store import open_store
from tandem_server.report.findings import Report, report_on
from tandem_server.report.group import group_findings, group_rows
from tandem_server.report.group_page import group_page
from tandem_server.report.page import report_page
from tandem_server.report.tables import as_csv, as_json, test_rows, turn_rows

_PAGE = 100


Table = Literal["tests", "turns"]
"""What a row of a CSV file is of"""


def write_report(conversation: str | None, out: Path, table: Table, data_dir: Path | None) -> str:
    """Write a file, whose ending says what kind, on one conversation or on all; what was done, in words. Raises
    ConfigurationError and StoreError."""
    if out.suffix not in (".html", ".json", ".csv"):
        raise ConfigurationError(f"{out}: a report is an .html, .json or .csv file; give its name with -o")
    overrides: dict[str, object] = {"host": "127.0.0.1", **({"data_dir": data_dir} if data_dir else {})}
    reports = asyncio.run(_reports(load(overrides).database, conversation))
    text = _one(reports[0], out.suffix, table) if conversation else _all(reports, out.suffix, table)
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{out} cannot be written ({error.strerror}): choose another with -o") from None
    return f"{len(reports)} {'conversation' if len(reports) == 1 else 'conversations'}: {out}"


async def _reports(database: str, conversation: str | None) -> list[Report]:
    """Raises ConfigurationError when there is nothing to report on, StoreError when it cannot be read."""
    store = await open_store(database)
    try:
        if conversation is not None:
            record = await store.conversation(conversation)
            if record is None:
                raise ConfigurationError(f"there is no conversation {conversation!r} here; is it another --data-dir?")
            return [report_on(record, await store.turns(conversation))]
        found = [(record, await store.turns(record.id)) for record in await _every(store)]
    finally:
        await store.close()
    spoken = [(record, turns) for record, turns in found if turns]
    if not spoken:
        raise ConfigurationError("no conversation is recorded here; is it another --data-dir?")
    # Of many, each is tested by the moments of all shuffles: as good, and no draw is needed.
    return [report_on(record, turns, draws=0) for record, turns in spoken]


async def _every(store: TurnStore) -> list[ConversationRecord]:
    """Oldest first."""
    found: list[ConversationRecord] = []
    while page := await store.conversations(_PAGE, found[-1].id if found else None):
        found += page
    return found[::-1]


def _one(made: Report, ending: str, table: Table) -> str:
    match ending:
        case ".html":
            return report_page(made)
        case ".json":
            return json.dumps(as_json(made), indent=1)
    return as_csv(turn_rows(made) if table == "turns" else test_rows(made))


def _all(reports: list[Report], ending: str, table: Table) -> str:
    if ending == ".csv":
        of_each = turn_rows if table == "turns" else test_rows
        return as_csv([row for made in reports for row in of_each(made)])
    findings = group_findings(reports)
    if ending == ".html":
        return group_page(reports, findings)
    return json.dumps({"tests": group_rows(findings), "conversations": [as_json(one) for one in reports]}, indent=1)
