"""Profiles switched under peewee's models: per thread or task with `using`, for everyone else with `switch`."""
