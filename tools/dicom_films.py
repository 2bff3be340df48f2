"""List which of pydicom's own test films are read, and why the others are refused.

python -m tools.dicom_films
"""

from __future__ import annotations

from pathlib import Path

import pydicom

from pneumo_infer.errors import ImageError
from pneumo_infer.films.raster import read_film
from pneumo_infer.films.trace import traced

PAGE = Path(__file__).parents[1] / "docs" / "dicom-films.md"
FILMS = Path(pydicom.__file__).parent / "data" / "test_files"
PAGE_START = """# DICOM films that are read

pydicom comes with DICOM files of many transfer syntaxes, kinds and defects. This is what pneumo-infer makes of those of
pydicom {version}; `python -m tools.dicom_films` writes this page. Most are not chest films, so the model would
call them out of domain.

| file | read | refused |
|---|---|---|
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(PAGE_START.format(version=pydicom.__version__) + "\n".join(rows()) + "\n", encoding="utf-8")


def rows() -> list[str]:
    """Read the films that come with the installed pydicom, and return a row of the table for each."""
    return [_row(path) for path in sorted(FILMS.rglob("*.dcm"))]


def _row(path: Path) -> str:
    read = refused = ""
    with traced() as steps:
        try:
            read_film(path)
            read = steps[0].removeprefix("file: DICOM, ")
        except ImageError as error:
            refused = error.problem
    return f"| `{path.relative_to(FILMS)}` | {read} | {refused} |"


if __name__ == "__main__":
    main()
