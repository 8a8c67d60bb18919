"""The Iterator: one step further in a loop; it imports nothing, so that it starts in milliseconds."""

FIELDS = ("index", "step", "count")


def handler(event: dict[str, object], context: object) -> dict[str, object]:
    """Add step to index and say whether the loop goes on.

    event: {"iterator": {"index": int, "step": int, "count": int}}; other fields of iterator come back as they are.
    Raises ValueError that names the field which is missing or no whole number.
    """
    iterator = event.get("iterator")
    if not isinstance(iterator, dict):
        raise ValueError("the input has no object 'iterator'")  # noqa: TRY004  one error for all bad input
    index, step, count = (_whole(iterator, field) for field in FIELDS)
    index += step
    return {**iterator, "index": index, "step": step, "count": count, "continue": index < count}


def _whole(iterator: dict[str, object], field: str) -> int:
    value = iterator.get(field)
    # JSON knows no difference between 1 and 1.0; true is no number.
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise ValueError(f"iterator.{field} is {value!r}; it must be a whole number")
    return int(value)
