import pytest

from tests.export.conftest import child, image_run, keras, table_run
from zoo import doctor
from zoo.errors import ResourceError

__all__ = ["child", "image_run", "keras", "table_run"]


@pytest.fixture(scope="session", params=list(doctor.RUNTIMES))
def runtime(request):
    """Another runtime, in its own environment under $ZOO_HOME, made now if it is not there."""
    try:
        return doctor.install(request.param)
    except ResourceError as error:
        pytest.skip(f"{request.param} cannot be installed here: {error}")
