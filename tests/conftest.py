"""Settings of every property test: no deadline on a shared machine, and the same examples in every run."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "console",
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile(
    "nightly",
    deadline=None,
    max_examples=2_000,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("console")
