"""The cases as `cases.toml` has them, and the files that they ship."""

import io
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass, field, fields
from pathlib import Path

MODES = ("session", "per-job", "application")
HERE = Path(__file__).parent


@dataclass
class Case:
    """One deployment for each mode and client. Text may name places: `{files}`, `{fs}` (HDFS), `{hdfs}` (a
    directory there), `{jar}`."""

    name: str
    # What it is there to show.
    what: str
    modes: list = field(default_factory=lambda: list(MODES))
    # What is tried once more with eight busy processes beside.
    loaded: bool = False
    # Path -> text, or a table with one of `link`, `archive` (and `files`), `mode`, `copy-of-jar`.
    files: dict = field(default_factory=dict)
    # The same in HDFS, text only.
    remote: dict = field(default_factory=dict)
    # Keys of Flink's configuration file, and a text that is put in front of it.
    config: dict = field(default_factory=dict)
    config_text: str = ""
    # Files that the directory of Flink's configuration has besides, or otherwise.
    conf_files: dict = field(default_factory=dict)
    # Files in usrlib/ of the Flink.
    usrlib: dict = field(default_factory=dict)
    # Options of the deployment in every mode; of `flink run` (also on a session); of `yarn-session.sh` alone.
    options: list = field(default_factory=list)
    run_options: list = field(default_factory=list)
    session_options: list = field(default_factory=list)
    # In place of `-t yarn-per-job` and the like.
    target: list = field(default_factory=list)
    environment: dict = field(default_factory=dict)
    jar: str = "{jar}"
    main: str = "Probe"
    end: str = "finish"
    arguments: list = field(default_factory=list)
    # How many arguments of this many characters are added.
    many: list = field(default_factory=list)
    # What happens while the task waits: `cancel`, `kill`, `stop`, `signal NAME`, `kill-taskmanager`.
    act: str = ""
    # The task is not let go: it ends by what happens.
    hold: bool = False
    # By mode: the exit code of the client that runs the program (or several that are possible), and YARN's
    # final status. Those of Flink's own client; without one 0 and SUCCEEDED. `none`: there is no application.
    exit: dict = field(default_factory=dict)
    final: dict = field(default_factory=dict)
    # Modes in which the application of Flink's own client never ends by itself; it is killed once its job has
    # ended.
    stays: list = field(default_factory=list)
    # How many TaskManagers there are once all have registered, where it is more than the job's one.
    workers: int = 0
    # Whether a task comes to run at all, and whether there is an application.
    task: bool = True
    refused: bool = False
    # Regular expressions of warnings and errors that heddle may print.
    said: list = field(default_factory=list)
    # Releases of Flink that it is for, by their beginning; all without one.
    flinks: list = field(default_factory=list)


def read(text=None):
    """All cases by name."""
    known = {entry.name for entry in fields(Case)}
    found = {}
    for raw in tomllib.loads(text or (HERE / "cases.toml").read_text())["case"]:
        values = {name.replace("-", "_"): value for name, value in raw.items()}
        wrong = set(values) - known
        assert not wrong, f"case {values.get('name')}: unknown {wrong}"
        case = Case(**values)
        assert case.name not in found, f"two cases are called {case.name}"
        assert set(case.modes) <= set(MODES), case
        found[case.name] = case
    return found


def make(directory, files, jar):
    """The files of a case; archives hold files of their own."""
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            content = {"text": content}
        if "link" in content:
            path.symlink_to(content["link"])
        elif "copy-of-jar" in content:
            path.write_bytes(Path(jar).read_bytes())
        elif "archive" in content:
            archive(path, content["archive"], content["files"])
        else:
            path.write_text(content["text"] * content.get("times", 1))
        if "mode" in content:
            path.chmod(int(content["mode"], 8))


def archive(path, kind, files):
    """A zip (also called jar) or a tar; all with the same times, so that two of them are equal."""
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as made:
            for name, text in files.items():
                made.writestr(zipfile.ZipInfo(name), text)
        return
    with tarfile.open(path, {"tar": "w", "tar.gz": "w:gz"}[kind]) as made:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o640
            made.addfile(entry, io.BytesIO(text.encode()))
