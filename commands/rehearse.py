"""restore rehearse: the whole restore on the embedded cluster."""
def rehearse() -> None:
    """Rehearse."""
