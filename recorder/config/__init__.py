"""The configuration of a recording: what the file may say, and the frozen object it becomes."""

from recorder.config.load import known, load
from recorder.config.model import Config, Gateway, Line, Status, Storage, Stream
from recorder.config.problems import ConfigError, Problem

__all__ = [
    "Config",
    "ConfigError",
    "Gateway",
    "Line",
    "Problem",
    "Status",
    "Storage",
    "Stream",
    "known",
    "load",
]
