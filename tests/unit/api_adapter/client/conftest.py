"""The API over real HTTP, and both faces of the client in turn."""

from collections.abc import Iterator

import pytest

from tests.client_faces import Face, opened_face
from tests.front_desk import FrontDesk
from tests.harmed_api import HarmedApi, harmed_api


@pytest.fixture
def api() -> Iterator[HarmedApi]:
    with harmed_api(FrontDesk()) as served:
        yield served


@pytest.fixture(params=["blocking", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def face(api: HarmedApi, kind: str) -> Iterator[Face]:
    with opened_face(kind, api.access()) as client:
        yield client
