"""A caller of heddle-am, without one."""

import pytest

from harness import control


def test_what_is_exported_is_what_openssl_exports():
    """`openssl s_server -keymatexport EXPORTER-heddle-control`, with TLS_AES_256_GCM_SHA384."""
    secret = "7565dc96a1b23298290a3d2c3b0c62d5df3b2cd8b9074926ca6ec11b5379ef23141bb2558b6cbbd16c7917cba81d477d"
    exported = "48ce9f7f41c822fbd440b8c6a0cb6572818690e403ea8dd0bbb27cafae7ab459"
    assert control.exported(bytes.fromhex(secret), "sha384").hex() == exported


def test_messages():
    frame = control.hello("container_1", b"\xaa" * 32)
    assert frame == b"\0\0\0\x33\x0a\x31\x08\x03\x12\x0bcontainer_1\x32\x20" + b"\xaa" * 32
    assert control.answer(b"\x1a\0") == control.ACCEPTED
    assert control.answer(b"\x22\x06\x08\x04\x12\x02no") == control.NOT_HELD
    with pytest.raises(AssertionError):
        control.answer(b"\x2a\0")


def test_a_greeting_is_one_of_tls():
    greeting = control.greeting(control.LINK)
    assert greeting.startswith(b"\x16\x03\x01") and control.LINK.encode() in greeting
