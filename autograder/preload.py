"""What every worker needs, imported once on a machine: the workers are forked from a process that has it."""

from .fanout import hush
from .feedback import exporter
from .worker import prepare

prepare()
exporter()
hush()
