"""A template and its data become a PDF: the only module that knows Typst, and a program of its own.

    python -I typesetting.py cards.typ < data.json > cards.pdf

``press`` runs it so, for each document a process: Typst keeps what it has set in memory, names and codes too, for some
ten documents more, and can't be stopped. A process can, and takes its memory along. It needs 15 ms to start, for it
imports nothing of the service. Should the service die, it ends by itself: `CPU_SECONDS` and `MEMORY` bound it.
"""

import resource
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import typst

TEMPLATES: Final = Path(__file__).parent
# A thousand vouchers take 3 s and 0.4 GiB; with the longest texts that fit in their Structs, 10 s and 1 GiB.
CPU_SECONDS: Final = 60
MEMORY: Final = 4 << 30
# What Typst says of a character that no font has, where a standard asks for all.
_NO_LETTER: Final = "could not be displayed"


def compose(template: str, data: str) -> bytes:
    """The PDF of that template with that JSON: to the standard, or without it if a letter is in no font."""
    try:
        return _compiled(template, data, to_standard=True)
    except typst.TypstError as error:
        if _NO_LETTER not in error.message:
            raise
        return _compiled(template, data, to_standard=False)


def _compiled(template: str, data: str, *, to_standard: bool) -> bytes:
    return typst.compile(
        TEMPLATES / template,
        root=TEMPLATES,
        font_paths=_fonts(),
        sys_inputs={"data": data},
        pdf_standards=["ua-1"] if to_standard else [],
    )


@cache
def _fonts() -> typst.Fonts:
    # Found and not imported: all that its module does is to look for the files.
    found = find_spec("font_source_sans_pro")
    assert found is not None
    assert found.submodule_search_locations is not None
    return typst.Fonts(font_paths=[Path(place) / "files" for place in found.submodule_search_locations])


def _main() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    sys.stdout.buffer.write(compose(sys.argv[1], sys.stdin.buffer.read().decode()))


if __name__ == "__main__":
    _main()
