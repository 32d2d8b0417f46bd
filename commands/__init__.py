"""The command line: one file a verb, each parse -> call one function -> print.

The only place that knows typer, the only place that prints, and the one door through which an error
becomes a text and an exit code (`app.main`). Heavy imports stand inside functions, so that the program
starts at once.
"""
