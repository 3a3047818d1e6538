import time

import pytest

from tests.export.conftest import child, image_run, keras, table_run
from zoo import doctor
from zoo.errors import LockedError, ResourceError, UsageError

__all__ = ["child", "image_run", "keras", "table_run"]

REFUSED = {("tflite-micro", "float16"), ("tflite-micro", "dynamic")}
"""(runtime, mode) that a runtime has no kernels for."""


def install(name):
    """An environment of its own under $ZOO_HOME, made now if it is not there."""
    while True:
        try:
            return doctor.install(name)
        except LockedError:  # another process of these tests installs one; the test's time limit ends it
            time.sleep(1)


def installed(name):
    """As `install`; skips the test where that cannot be done."""
    try:
        return install(name)
    except (ResourceError, UsageError) as error:  # no network, or no Debian mirror and keys
        pytest.skip(f"{name} cannot be installed here: {error}")


@pytest.fixture(scope="session", params=list(doctor.RUNTIMES))
def runtime(request):
    """Another runtime."""
    return installed(request.param)


def package(runtime):
    """What predict.py calls it: the emulated board has tflite-runtime."""
    return "tflite-runtime" if runtime.name == "arm" else runtime.name
