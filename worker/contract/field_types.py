"""Types of fields that several requests have (CONTRACT R2-R12)."""

from functools import lru_cache
from typing import Annotated

import langcodes
from langcodes.tag_parser import LanguageTagError
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

LONGEST_EXTEND_INFO = 4096

Id64 = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^@#?\s\p{Cc}]+$")]
AppId = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[^@#?\s\p{Cc}]+$")]
Token = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^@#?\s\p{Cc}]+$")]
Url = Annotated[str, Field(max_length=2048)]
ExtendInfo = Annotated[str, Field(max_length=LONGEST_EXTEND_INFO)]
WalletName = Annotated[str, Field(min_length=1, max_length=64)]


@lru_cache(maxsize=4096)
def normal_language(tag: str) -> str:
    """Return a BCP 47 tag in its standard spelling (`en_us` gives `en-US`, R8).

    Raises PydanticCustomError when the tag is malformed.
    """
    try:
        return langcodes.standardize_tag(tag)
    except LanguageTagError:
        raise PydanticCustomError("language", "is not a BCP 47 language tag") from None


Language = Annotated[str, Field(max_length=64), AfterValidator(normal_language)]
"""A BCP 47 tag, brought to its standard spelling."""
