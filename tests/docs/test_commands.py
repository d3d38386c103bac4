"""Whoever types what the manual says gets no `unknown option`."""

import re
import shlex
import subprocess

import pytest

from manual import PAGES, ROOT, prose, shell_lines

BIN = ROOT / "dist/heddle/bin"
COMMANDS = {path.name for path in BIN.iterdir()}
# <job id>, $VARIABLE and … stand for one word; the shell would read the first as a redirection.
PLACEHOLDER = re.compile(r"<[^<>|]+>")
# Of Java, Hadoop, Docker, tar, dpkg, cargo, Flink's entry points, users' programs and tools, and commands of
# heddle that are not for people.
OTHERS = {
    "--add-exports", "--add-opens", "--build", "--check", "--configDir", "--deploy-mode", "--ignore-missing", "--locked",
    "--master", "--password", "--program", "--purge", "--request", "--wait",
}  # fmt: skip
# Names that look like keys of the configuration: system properties of the Java agent, and what nobody sets.
INTERNAL = {
    "heddle.agent.disabled",
    "heddle.agent.heddle",
    "heddle.agent.modes",
    "heddle.control.address",
    "heddle.control.certificate",
    "heddle.control.pin",
    "heddle.control.private-key",
    "heddle.control.root",
    "heddle.control.worker-key",
    "heddle.metrics.address",
}
# Keys that are Hadoop's.
HADOOP = re.compile(
    r"yarn\.(scheduler|resourcemanager|nodemanager|resource-types|log-aggregation|http)\b.*|yarn\.application\.classpath"
)


def commands(line):
    """The simple commands of a line, as words."""
    text = PLACEHOLDER.sub("X", line.text.replace("…", "X"))
    words = shlex.shlex(text, posix=True, punctuation_chars="|;&()")
    words.whitespace_split = True
    command = []
    for word in [*words, ";"]:
        if set(word) <= set("|;&()"):
            # Assignments in front, and what only starts another command.
            while command and (re.match(r"[A-Z_]+=", command[0]) or command[0] in ("export", "eval")):
                command.pop(0)
            if command:
                yield command
            command = []
        else:
            command.append(word)


def heddles(command):
    """The part that is heddle's, if there is one: also behind `docker compose exec client`."""
    if command[:3] == ["docker", "compose", "exec"]:
        command = command[4:]
    return command if command and command[0] in COMMANDS else None


LINES = list(shell_lines())
OURS = [(line, words) for line in LINES for words in map(heddles, commands(line)) if words]
SCRIPTS = [(line, words) for line in LINES for words in commands(line) if words[0].startswith("scripts/")]


def script_text(path):
    """A script, and the package of Python that it says it is the command of."""
    text = path.read_text()
    if package := re.search(r"harness\.(\w+)\.cli", text):
        text += "".join(file.read_text() for file in (ROOT / "tests/harness" / package[1]).glob("*.py"))
    return text


def test_there_are_commands():
    assert len(OURS) > 40 and len(SCRIPTS) > 10


def test_commands_can_be_parsed():
    wrong = []
    for line, words in OURS:
        done = subprocess.run([BIN / "heddle", "reference", "--check", "--", *words], capture_output=True, text=True, timeout=20)
        if done.returncode:
            wrong.append(f"{line}\n    {done.stderr.strip()}")
    assert not wrong, "\n".join(wrong)


def test_scripts_have_their_options():
    wrong = []
    for line, (script, *words) in SCRIPTS:
        path = ROOT / script
        text = script_text(path) if path.is_file() else ""
        known = [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]
        if not text:
            wrong.append(f"{line}: there is no {script}")
        wrong += [f"{line}: {script} does not know {word}" for word in known if not re.search(rf"{word}\b", text)]
    assert not wrong, "\n".join(wrong)


def known_options():
    known = set(OTHERS)
    for page in (ROOT / "docs/reference/commands.md",):
        known |= set(re.findall(r"`(--[\w-]+)", page.read_text()))
    for script in (ROOT / "scripts").rglob("*"):
        if script.is_file():
            known |= set(re.findall(r"(?<![\w-])--[a-z][\w-]+", script_text(script)))
    return known | {"--help", "--version"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_options_and_keys_in_the_text_exist(page):
    known = known_options()
    configuration = (ROOT / "docs/reference/configuration.md").read_text()
    keys = set(re.findall(r"`([\w.-]+\.)`|`([\w.-]+)`", configuration))
    keys = {prefix or key for prefix, key in keys}
    wrong = []
    for span in re.findall(r"`([^`\n]+)`", prose(page)):
        wrong += [option for option in re.findall(r"(?<![\w-])--[a-zA-Z][\w-]+", span) if option not in known]
        for key in re.findall(r"(?<![\w./-])(?:-D)?((?:yarn|heddle)\.[a-z][a-z.-]+[a-z])(?=$|[=: ])", span):
            # Files and attributes of other things look alike.
            if key.endswith((".md", ".json", ".sh", ".log", ".xml", ".proto", ".bin")) or HADOOP.fullmatch(key):
                continue
            if key not in keys | INTERNAL and not any(key.startswith(known) for known in keys if known.endswith(".")):
                wrong.append(key)
    assert not wrong, wrong
