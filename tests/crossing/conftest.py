from tests.scenario.conftest import city, program  # noqa: F401 fixtures
