"""Imported once by the process that training processes are forked from."""

from lab_store_help import prepare

prepare()
