"""What a check has shown, as one text: whoever confirms it confirms this, and nothing else."""

import hashlib
import json
from collections.abc import Sequence

from billing_core.imports import mapping, received
from billing_core.imports.automatic.taking_in import File, Part

# What only an import has.
_OF_IMPORTS = ("applied", "run_id")


def token(posted_id: int, files: Sequence[File]) -> str:
    """Another one for each import, and each other result. The import stands for the bytes of its file, which never
    change; the mapping, the answers and every count and sample of the outcome are in it.
    """
    told = [posted_id, [[file.found.file_name, [_part(part) for part in file.parts]] for file in files]]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _part(part: Part) -> list[object]:
    found, outcome = part.found, part.outcome
    said = [found.kind, mapping.to_json(found.mapping), found.lines, found.repeats, found.may_set_aside]
    if outcome is None:
        return [said, part.problem]
    counted = {name: value for name, value in received.outcome_json(outcome).items() if name not in _OF_IMPORTS}
    return [said, mapping.to_json(outcome.mapping), counted]
