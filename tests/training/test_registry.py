"""The list of recipes: light, complete and true."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from tandem_training.job import spec_type
from tandem_training.registry import RECIPES


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_a_module_and_a_spec_that_explains_its_fields(name: str) -> None:
    recipe = RECIPES[name]

    assert importlib.util.find_spec(recipe.module) is not None
    assert all(field.description for field in spec_type(recipe).model_fields.values())
    assert spec_type(recipe).model_config.get("extra") == "forbid"


def test_listing_recipes_and_checking_specs_imports_nothing_heavy() -> None:
    code = (
        "import sys, tandem_training.registry, tandem_training.job, tandem_training.specs\n"
        "sys.exit(', '.join({'numpy', 'scipy', 'parselmouth', 'torch', 'tandem_models'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stderr.strip() == ""
