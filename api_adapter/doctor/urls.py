"""URLs as they may be shown."""

import re

_USER_INFO = re.compile(r"(?<=://)([^:@/?#;]*):[^/?#;]*@")
_PASSWORD_IN_QUERY = re.compile(r"(?<=[?&])([a-z_]*password)=[^&;]*")


def masked(url: str) -> str:
    """Return a URL, or several parted by `;`, without the passwords in it."""
    return _PASSWORD_IN_QUERY.sub(r"\1=***", _USER_INFO.sub(r"\1:***@", url))
