"""``python -m immunosarc.cli``: the same as the command ``immunosarc``."""

from immunosarc.cli._app import app

app()
