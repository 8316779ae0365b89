"""What all tests share: no test has a deadline, for a busy machine is no defect."""

from hypothesis import settings

settings.register_profile("molfound", deadline=None)
settings.load_profile("molfound")
