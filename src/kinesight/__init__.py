"""Robot policies that plan in space, imagine, act and check themselves."""

__version__ = "0.1.0"
