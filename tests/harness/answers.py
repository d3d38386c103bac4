"""What commands answer with `--output json`, and whether that is as `docs/schema/answer.schema.json` has it.

The schema is open for keys of later releases. Here it is closed: a key that it does not have is a mistake, so
that neither the schema nor the manual can be forgotten when an answer gets one.
"""

import json
import re
from functools import cache
from pathlib import Path

from .cluster import ROOT

SCHEMA = ROOT / "docs/schema/answer.schema.json"
TYPES = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "null": lambda value: value is None,
}
# What says nothing about a value.
ANNOTATIONS = {"$schema", "$id", "$defs", "title", "description"}
KEYWORDS = {"$ref", "type", "enum", "pattern", "properties", "required", "additionalProperties", "items", "anyOf"}
# The names of programs that are no commands of heddle's, and what the schema has for them.
PROGRAMS = {
    "yarn-session.sh": "yarn-session.sh", "flink-yarn-session": "yarn-session.sh", "sql-client.sh": "sql-client.sh",
    "sql-gateway.sh": "sql-client.sh",
}  # fmt: skip
VERSION = {"version", "--version", "-V"}
HELP = {"help", "--help", "-h"}


@cache
def schema():
    return json.loads(SCHEMA.read_text())


def commands():
    """The schema of each command's answer."""
    return schema()["$defs"]["commands"]["$defs"]


def referred(reference):
    found = schema()
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def problems(value, rule, place="answer"):
    """What is wrong with a value, each as a text that begins with the place of it."""
    unknown = set(rule) - KEYWORDS - ANNOTATIONS
    assert not unknown, f"this validator does not know {unknown}"
    if "$ref" in rule:
        return problems(value, referred(rule["$ref"]), place)
    found = []
    if "type" in rule:
        types = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
        if not any(TYPES[one](value) for one in types):
            return [f"{place} is {json.dumps(value)[:80]}, and no {' or '.join(types)}"]
    if "enum" in rule and value not in rule["enum"]:
        found.append(f"{place} is {json.dumps(value)[:80]}, and none of {rule['enum']}")
    if "pattern" in rule and isinstance(value, str) and not re.search(rule["pattern"], value):
        found.append(f"{place} is {value!r}, which does not fit {rule['pattern']}")
    if isinstance(value, dict):
        found += of_object(value, rule, place)
    if isinstance(value, list) and "items" in rule:
        found += [one for at, item in enumerate(value) for one in problems(item, rule["items"], f"{place}[{at}]")]
    if "anyOf" in rule:
        ways = [problems(value, way, place) for way in rule["anyOf"]]
        if all(ways):
            # Of alternatives that are all wrong, the one that is nearest says most.
            found += min(ways, key=len)
    return found


def of_object(value, rule, place):
    found = [f"{place} has no {key}" for key in rule.get("required", []) if key not in value]
    known = rule.get("properties", {})
    others = rule.get("additionalProperties", "properties" not in rule)
    for key, part in value.items():
        if key in known:
            found += problems(part, known[key], f"{place}.{key}")
        elif isinstance(others, dict):
            found += problems(part, others, f"{place}.{key}")
        elif not others:
            found.append(f"{place}.{key} is not in the schema")
    return found


def command_of(words):
    """The command of a command line that asks for JSON, by its name in the schema; None of all others. The
    words behind the program's jar belong to the program."""
    program, words = Path(words[0]).name, list(map(str, words[1:]))
    if program not in PROGRAMS and program not in ("heddle", "flink"):
        return None
    behind = next((at for at, word in enumerate(words) if word == "--" or word.endswith(".jar")), len(words))
    own = words[:behind]
    if program in PROGRAMS:
        # A jar can be a value of theirs.
        own = words
    if "--output=json" not in own and ("--output", "json") not in zip(own, own[1:]):
        return None
    if HELP & set(own):
        return "help"
    if program in PROGRAMS:
        return PROGRAMS[program]
    verb = own[0] if own else ""
    if verb in VERSION:
        return "version"
    verb = {"session": "yarn-session.sh"}.get(verb, verb)
    # Of a command that there is not, only the error is expected.
    return verb if verb in commands() else "failed"


def check(words, out):
    """Fails unless standard output is the one answer of this command line, on one line."""
    name = command_of(words)
    assert out.endswith("\n") and out.count("\n") == 1, f"{words}: not one line of JSON: {out[:400]!r}"
    rule = commands().get(name) or schema()["$defs"][name]
    wrong = problems(json.loads(out), rule)
    assert not wrong, f"{' '.join(map(str, words))}: not as {SCHEMA.relative_to(ROOT)} has it:\n" + "\n".join(wrong[:20])
