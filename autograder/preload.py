"""What every worker needs, imported once on a machine: the workers are forked from a process that has it."""

import logging

from .feedback import exporter
from .worker import prepare

prepare()
exporter()
logging.getLogger("distributed").setLevel(
    logging.ERROR
)  # a run that is stopped in the middle is nothing to warn of
