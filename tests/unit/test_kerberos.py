"""What is done around a cluster with Kerberos, as far as it needs none."""

import urllib.error

import pytest

from harness import kerberos
from harness.hadoop.environment import Failure
from harness.hadoop.parts import kerberos as part
from harness.kerberos import Negotiating, hidden, keytab_settings, tokens_in

LOG = """\
INFO AbstractDelegationTokenSecretManager: Creating password for identifier: (token for alice: HDFS_DELEGATION_TOKEN owner=alice@HEDDLE.TEST, renewer=yarn, realUser=, issueDate=1, maxDate=2, sequenceNumber=7, masterKeyId=2), currentKey: 2
INFO AbstractDelegationTokenSecretManager: Creating password for identifier: (token for bob: HDFS_DELEGATION_TOKEN owner=bob@HEDDLE.TEST, renewer=yarn, realUser=, issueDate=1, maxDate=2, sequenceNumber=8, masterKeyId=2), currentKey: 2
INFO AbstractDelegationTokenSecretManager: Creating password for identifier: (token for alice: HDFS_DELEGATION_TOKEN owner=alice@HEDDLE.TEST, renewer=yarn, realUser=, issueDate=1, maxDate=2, sequenceNumber=9, masterKeyId=2), currentKey: 2
INFO AbstractDelegationTokenSecretManager: Token cancellation requested for identifier: (token for alice: HDFS_DELEGATION_TOKEN owner=alice@HEDDLE.TEST, renewer=yarn, realUser=, issueDate=1, maxDate=2, sequenceNumber=7, masterKeyId=2)
INFO AbstractDelegationTokenSecretManager: Token renewal for identifier: (token for alice: HDFS_DELEGATION_TOKEN owner=alice@HEDDLE.TEST, renewer=yarn, realUser=, issueDate=1, maxDate=2, sequenceNumber=9, masterKeyId=2); total currentTokens 2
INFO AbstractDelegationTokenSecretManager: Creating password for identifier: (RM_DELEGATION_TOKEN owner=carl@HEDDLE.TEST, renewer=yarn, realUser=, issueDate=1, maxDate=2, sequenceNumber=3, masterKeyId=2), currentKey: 2
INFO AbstractDelegationTokenSecretManager: Token cancellation requested for identifier: (RM_DELEGATION_TOKEN owner=carl@HEDDLE.TEST, renewer=yarn, realUser=, issueDate=1, maxDate=2, sequenceNumber=3, masterKeyId=2)
INFO AbstractDelegationTokenSecretManager: Creating password for identifier: (token for dora: HDFS_DELEGATION_TOKEN owner=dora, renewer=yarn, realUser=gateway@HEDDLE.TEST, issueDate=1, maxDate=2, sequenceNumber=10, masterKeyId=2), currentKey: 2
"""


def test_tokens_in_a_log():
    assert tokens_in(LOG, "alice") == ({7, 9}, {7})
    assert tokens_in(LOG, "bob") == ({8}, set())
    assert tokens_in(LOG, "carl") == ({3}, {3}), "the ResourceManager's"
    assert tokens_in(LOG, "dora") == ({10}, set()), "one for whom another user acts"


def test_what_is_missing_is_named_by_its_package(monkeypatch):
    monkeypatch.setattr(part, "find", lambda name: None if name in ("krb5kdc", "kinit") else f"/usr/bin/{name}")
    assert part.missing_packages() == ["krb5-kdc", "krb5-user"]
    assert kerberos.missing() == "no krb5-kdc, krb5-user on this machine"
    with pytest.raises(Failure) as failed:
        part.program("kinit")
    assert failed.value.hints == ("Debian: apt-get install krb5-user",)
    monkeypatch.setattr(part, "find", lambda name: f"/usr/bin/{name}")
    assert kerberos.missing() is None


def test_settings_of_a_login():
    settings = keytab_settings("/k", "alice")
    assert settings == {"security.kerberos.login.keytab": "/k", "security.kerberos.login.principal": "alice@HEDDLE.TEST"}


def test_the_words_that_hide_a_file():
    words = hidden("/lib/a.so", "/empty")
    assert words[-2:] == ["/empty", "/lib/a.so"] and "mount --bind" in words[-3]


class Server:
    """A program in the place of curl, which gives an answer and a status."""

    def __init__(self, directory, answer, status, code=0):
        self.program, self.told = directory / "curl", directory / "told"
        self.program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{self.told}\ncat >>{self.told}\nprintf %s\'\\n\'%s \'{answer}\' {status}\nexit {code}\n')
        self.program.chmod(0o755)

    def ask(self, monkeypatch, *words, **more):
        monkeypatch.setattr(kerberos, "program", lambda name: str(self.program))
        asking = Negotiating.__new__(Negotiating)
        asking.cluster, asking.cache = type("Cluster", (), {"environment": lambda self: {"PATH": "/usr/bin:/bin"}})(), "FILE:/none"
        return asking(*words, **more)


def test_asking_with_a_ticket(tmp_path, monkeypatch):
    server = Server(tmp_path, "{}", 200)
    assert server.ask(monkeypatch, "http://x/y", "PUT", b"content", headers={"A": "b"}) == b"{}"
    told = server.told.read_text()
    assert "--negotiate" in told and "A: b" in told and told.endswith("content") and "--location" not in told
    with pytest.raises(urllib.error.HTTPError) as failed:
        Server(tmp_path, "no such file", 404).ask(monkeypatch, "http://x/y")
    assert failed.value.code == 404
    with pytest.raises(urllib.error.URLError):
        Server(tmp_path, "", 0, code=7).ask(monkeypatch, "http://x/y")
