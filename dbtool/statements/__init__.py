"""Cut SQL text into statements, byte by byte as it arrives, by the lexical rules of one dialect."""

from dbtool.statements.commands import Client, Script
from dbtool.statements.copy_data import CopyData
from dbtool.statements.splitter import Splitter, split
from dbtool.statements.statement import Parameter, Statement, find_parameters

__all__ = ["Client", "CopyData", "Parameter", "Script", "Splitter", "Statement", "find_parameters", "split"]
