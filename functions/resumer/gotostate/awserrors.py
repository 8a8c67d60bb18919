"""What an error of a call to AWS means, told from its code: throttled, denied, or of the kind that may pass."""

_THROTTLED = (
    "ThrottlingException",
    # The Resource Groups Tagging API's own
    # (https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html).
    "ThrottledException",
    "Throttling",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "KmsThrottlingException",
)
_DENIED = ("AccessDeniedException", "AccessDenied", "KmsAccessDeniedException", "KmsInvalidStateException")


def error_code(error: BaseException) -> str:
    """Return AWS's code of an error; "" for one that is not AWS's."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def is_throttled(error: BaseException) -> bool:
    """Tell whether AWS refused a call because there were too many."""
    return error_code(error) in _THROTTLED


def is_denied(error: BaseException) -> bool:
    """Tell whether AWS refused a call for want of a permission, on a machine or on its key."""
    return error_code(error) in _DENIED


def may_pass(error: Exception) -> bool:
    """Tell whether a call that failed may succeed at once: no connection, no answer, or AWS's own failure."""
    response = getattr(error, "response", None) or {}
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status:
        return bool(status >= 500)
    return any(kind.__name__ in ("ConnectionError", "HTTPClientError") for kind in type(error).__mro__)
