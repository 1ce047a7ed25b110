"""Examples of expiry: some of Ann's credits end in November, and what ended in October comes back."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ledger.scheme.expiry import Endings, Reinstated

_ANN: Final = "5d0c6b1e-6a53-4f0e-9a4e-0c6f2f6b8a01"

EXAMPLES: Final[Mapping[type[msgspec.Struct], Mapping[str, Any]]] = {
    Endings: {
        "endings": [{"ends_on": "2028-11-30", "minutes": 150}, {"ends_on": "2028-12-31", "minutes": 60}],
        "reinstatable": [{"until": "2028-12-01", "minutes": 45}],
    },
    Reinstated: {
        "person": _ANN,
        "minutes": 45,
        "ends_on": "2028-12-14",
        "reinstated_at": "2028-11-14T15:02:11.204518Z",
    },
}
