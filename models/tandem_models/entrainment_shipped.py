"""Where the entrainment model that comes with the package is."""

from __future__ import annotations

from pathlib import Path
from typing import Final

SHIPPED: Final = Path(__file__).parent / "entrainment_simulated"
"""A checkpoint folder; its card says what the model was trained on and what it does not show."""
