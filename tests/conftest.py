"""What all tests share."""

from hypothesis import settings

# How long an example takes says nothing: kernels are compiled at the first one, and machines are busy.
settings.register_profile("holdfast", deadline=None)
settings.load_profile("holdfast")
