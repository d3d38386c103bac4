"""Where heddle, Flink and Hadoop are on a worker, and the private directory for secret settings. Nothing here
needs Airflow."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# Flink's configuration files: which of them a release reads, and in which form it writes values.
STANDARD, LEGACY = "config.yaml", "flink-conf.yaml"


@dataclass(frozen=True)
class Settings:
    """What a connection says. None and empty texts leave to the worker's environment what it has."""

    heddle: str = "heddle"
    flink_home: str | None = None
    flink_conf_dir: str | None = None
    hadoop_conf_dir: str | None = None
    # On clusters without Kerberos: as whom heddle acts.
    user: str | None = None
    # On clusters with Kerberos: for whom heddle acts.
    proxy_user: str | None = None
    # Tells Airflow installations with the same users apart, in the names of submissions.
    namespace: str = ""

    @classmethod
    def of_connection(cls, login: str | None, extra: Mapping[str, Any]) -> Settings:
        """Raises ValueError for keys that nobody reads, and for another program than heddle."""
        known = set(cls.__dataclass_fields__) - {"user"}
        if unknown := sorted(set(extra) - known):
            raise ValueError(f"a heddle connection has no {', '.join(unknown)}; it knows {', '.join(sorted(known))}")
        given = {key: str(value) for key, value in extra.items() if value not in (None, "")}
        settings = cls(user=login or None, **given)
        # Who may edit connections is not always somebody who may run any program on the workers.
        if Path(settings.heddle).name != "heddle":
            raise ValueError(f"the connection names {settings.heddle!r} as heddle; the program's name has to be heddle")
        return settings

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def variables(self, inherited: Mapping[str, str], more: Mapping[str, Any] | None = None) -> dict[str, str]:
        """The environment of a command. `more` wins over the connection, and None in it takes a variable
        away."""
        own = {
            "FLINK_HOME": self.flink_home,
            "FLINK_CONF_DIR": self.flink_conf_dir,
            "HADOOP_CONF_DIR": self.hadoop_conf_dir,
            "HADOOP_USER_NAME": self.user,
            "HADOOP_PROXY_USER": self.proxy_user,
        }
        found = dict(inherited) | {name: value for name, value in own.items() if value}
        for name, value in (more or {}).items():
            if value is None:
                found.pop(name, None)
            else:
                found[name] = str(value)
        return found


@contextlib.contextmanager
def with_secrets(variables: Mapping[str, str], secrets: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The environment with a `FLINK_CONF_DIR` that has the secrets, too: a copy of the other directory that
    only this user can read, and that is gone afterwards. A command line could be read by everybody."""
    if not secrets:
        yield dict(variables)
        return
    source = configuration_directory(variables)
    with tempfile.TemporaryDirectory(prefix="heddle-airflow-") as directory:
        conf = Path(directory, "conf")
        shutil.copytree(source, conf)
        conf.chmod(stat.S_IRWXU)
        write_secrets(conf, secrets)
        yield dict(variables) | {"FLINK_CONF_DIR": str(conf)}


def configuration_directory(variables: Mapping[str, str]) -> Path:
    """Where heddle would find Flink's configuration; raises ValueError if that is not known here."""
    named = variables.get("FLINK_CONF_DIR") or (variables.get("FLINK_HOME") and os.path.join(variables["FLINK_HOME"], "conf"))
    if not named or not Path(named).is_dir():
        raise ValueError(
            "settings that are secret are added to Flink's configuration, and there is none: set FLINK_HOME or FLINK_CONF_DIR "
            "(flink_home or flink_conf_dir in the connection)"
        )
    return Path(named)


def write_secrets(conf: Path, secrets: Mapping[str, str]) -> None:
    """Adds settings to the files in a directory, of which the release of Flink reads one."""
    files = [conf / name for name in (STANDARD, LEGACY) if (conf / name).exists()]
    for file in files or [conf / STANDARD, conf / LEGACY]:
        text = file.read_text() if file.exists() else ""
        file.unlink(missing_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w") as out:
            out.write(added(text, secrets, file.name == LEGACY))


def added(text: str, settings: Mapping[str, str], legacy: bool) -> str:
    """A configuration file with further settings, which take the place of lines with the same keys."""
    kept = [line for line in text.splitlines() if line.partition(":")[0].strip("'\" ") not in settings or line[:1].isspace()]
    for key, value in settings.items():
        if "\n" in value or "\r" in value or (legacy and ("#" in value or value != value.strip())):
            raise ValueError(f"the value of {key} cannot be written into {LEGACY if legacy else STANDARD}")
        kept.append(f"{key}: {value if legacy else json.dumps(value)}")
    return "\n".join(kept) + "\n"
