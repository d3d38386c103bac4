"""One cluster of containers for all tests of a file, with the file's VARIABLES for compose.yaml; taken down
whatever becomes of them."""

import pytest

from stack import INPUT, TEXT, Stack


@pytest.fixture(scope="module")
def stack(request):
    stack = Stack(**getattr(request.module, "VARIABLES", {}))
    try:
        stack.compose("build", seconds=400).ok()
        stack.up()
        yield stack
    finally:
        stack.down()


@pytest.fixture(scope="module")
def text(stack):
    stack.put(TEXT, INPUT.removeprefix("hdfs://"))
