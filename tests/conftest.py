"""No deadline for a property's examples: on a busy machine the first one waits for everything that is imported."""

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
