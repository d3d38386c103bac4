"""Which scenarios a run has, and with which client: decided here by their markers, applied by conftest.py.

| `--select` | with heddle | with Flink's own client |
|---|---|---|
| plain | all but those marked `extended` | those marked `reference`, unless it says `extended=True` |
| extended | those marked `extended` | none |
| reference | none | those marked `reference` that plain does not have |
| all | all | those marked `reference` |
"""

SELECTIONS = ("plain", "extended", "reference", "all")


def clients(chosen, select, marks):
    """The kinds of client that a test is run with, before any test is left out. `marks` maps names to
    markers."""
    wanted = "reference" in marks and (select != "plain" or not marks["reference"].kwargs.get("extended"))
    kinds = []
    if chosen != "reference":
        kinds.append("heddle")
    if "heddle_only" not in marks and (chosen in ("both", "reference") or (chosen == "plain" and wanted)):
        kinds.append("reference")
    return kinds


def kept(chosen, select, marks, kind):
    """Whether a test stays in the run with this kind of client (None where it uses none)."""
    if chosen == "reference" and "heddle_only" in marks:
        return False
    extended = "extended" in marks
    if select == "plain":
        return not extended
    if select == "extended":
        return extended and kind != "reference"
    if select == "reference":
        named = "reference" in marks and marks["reference"].kwargs.get("extended")
        return kind == "reference" and bool(extended or named)
    return True
