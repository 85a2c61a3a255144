"""What the README says of settings and options is what there is."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from tandem_client.cli import serve
from tandem_server.config import Config

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_readme_lists_every_setting_and_stars_those_that_serve_takes() -> None:
    table = README.partition("## Settings")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = dict(re.findall(r"`(\w+)`(\*?)", " ".join(cells)))

    assert set(named) == set(Config.model_fields)
    assert {name for name, star in named.items() if star} == set(inspect.signature(serve).parameters)


def test_the_client_in_the_readme_is_a_whole_program() -> None:
    [program] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

    compile(program, "README.md", "exec")
    assert "import asyncio" in program and "asyncio.run(main())" in program
