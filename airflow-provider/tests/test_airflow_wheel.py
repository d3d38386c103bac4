"""The wheel of `scripts/packaging/wheel`."""

import base64
import csv
import hashlib
import os
import subprocess
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def wheel(directory, umask="022", **env):
    directory.mkdir()
    command = f"umask {umask}; exec '{ROOT}/scripts/packaging/wheel' '{directory}'"
    done = subprocess.run(["bash", "-c", command], env=os.environ | env, capture_output=True, text=True)
    assert done.returncode == 0, done
    [made] = directory.glob("*.whl")
    assert done.stdout == f"{made}\n"
    return made


def test_the_wheel_is_whole_and_the_same_each_time(tmp_path):
    made = wheel(tmp_path / "a", SOURCE_DATE_EPOCH="1700000000")
    again = wheel(tmp_path / "b", "077", SOURCE_DATE_EPOCH="1700000000", TZ="Asia/Tokyo")
    assert made.name == again.name and made.read_bytes() == again.read_bytes()
    with zipfile.ZipFile(made) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    [info] = {name.split("/")[0] for name in files if ".dist-info/" in name}
    listed = {row[0]: row[1:] for row in csv.reader(files[f"{info}/RECORD"].decode().splitlines())}
    assert set(listed) == set(files)
    for name, (digest, size) in listed.items():
        if name != f"{info}/RECORD":
            wanted = base64.urlsafe_b64encode(hashlib.sha256(files[name]).digest()).rstrip(b"=").decode()
            assert (digest, size) == (f"sha256={wanted}", str(len(files[name])))
    sources = {str(path.relative_to(ROOT / "airflow-provider/src")) for path in (ROOT / "airflow-provider/src").rglob("*.py")}
    assert sources | {"heddle_airflow/py.typed", f"{info}/licenses/LICENSE"} <= set(files)
    assert b"provider_info = heddle_airflow:get_provider_info" in files[f"{info}/entry_points.txt"]
    assert b"Requires-Dist: apache-airflow>=2.7\n" in files[f"{info}/METADATA"]
