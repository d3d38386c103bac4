"""What `heddle why` finds, for scenarios of its rules."""

import json
import re

NOTHING_FOUND = 3


def findings(heddle, *words):
    """The answer for programs; rule -> finding."""
    result = heddle.run("heddle", "why", *words, "--output", "json")
    assert result.code in (0, NOTHING_FOUND) and not result.error_lines(), result
    told = json.loads(result.out)
    assert (result.code == 0) == bool(told["findings"]), result
    return {finding["rule"]: finding for finding in told["findings"]}


def check(heddle, application, rules, key=None, value=r"\S+", *, said=""):
    """One of the rules is found, and what to set is told to programs and to people; gives the finding and the
    text."""
    found = findings(heddle, application)
    [rule, *_] = [rule for rule in found if rule in rules] or [None]
    assert rule, found
    text = heddle.run("heddle", "why", application).ok().out
    assert f"rule: {rule}" in text and said in text, text
    if key:
        assert any(fix["key"] == key and re.fullmatch(value, fix["value"]) for fix in found[rule]["fix"]), found[rule]
        assert re.search(rf"^     {re.escape(key)}: (?:{value})  ", text, re.MULTILINE), text
    assert found[rule]["evidence"] and found[rule]["evidence"][0]["text"], found[rule]
    return found[rule], text
