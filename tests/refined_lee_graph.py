"""The Refined Lee filter and the focal composite as Earth Engine scripts build them: graphs of the notebook in ../shared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).parents[1] / "../shared/notebooks/earth-engine-vv-vh-ratio.txt"


def refined_lee(ee: Any, image: Any) -> Any:
    """Filtered image; the script leaves arrays of length 1 behind, of which the first element is taken."""
    text = NOTEBOOK.read_text()
    code = text[text.index("def RefinedLee(img):") : text.index("def toDB(img)")]
    made: dict[str, Any] = {"ee": ee}
    exec(compile(code, str(NOTEBOOK), "exec"), made)
    return made["RefinedLee"](image).arrayGet(0)


def focal_composite(ee: Any, collection: Any) -> Any:
    """Median over time of the ratio of focal medians of 100 m, and of both bands."""

    def filtered(image: Any) -> Any:
        smooth = image.focal_median(100, "circle", "meters")
        return smooth.addBands(smooth.select("VV").divide(smooth.select("VH")).rename("ratio"))

    return collection.map(filtered).reduce(ee.Reducer.median())
