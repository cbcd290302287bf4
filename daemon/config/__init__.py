"""The configuration: read from layers once, checked whole, frozen. A restart is the reload."""

from daemon.config.faults import Fault
from daemon.config.load import Loaded, load
from daemon.config.sections import Config
from daemon.config.show import as_json, as_toml, digest_of

__all__ = ["Config", "Fault", "Loaded", "as_json", "as_toml", "digest_of", "load"]
