"""What merchants have to know of a template version: the parameters that it requires, and what it is made of. Pure."""

from typing import Any

from worker.rendering import CompiledTemplate

Json = dict[str, Any]


def required_json(template: CompiledTemplate) -> dict[str, list[str]]:
    """Return the parameters that a send must bring, by language (R9)."""
    return {language: sorted(template.required(language)) for language in template.languages}


def required_on_json(template: CompiledTemplate) -> dict[str, dict[str, list[str]]]:
    """Return the parameters that each channel needs, by language and channel."""
    return {
        language: {
            channel.value: sorted(template.required_on(language, channel)) for channel in template.version.channels
        }
        for language in template.languages
    }


def template_json(template: CompiledTemplate) -> Json:
    """Return a version with everything that is derived from it."""
    return {
        **template.version.model_dump(mode="json"),
        "needsRedirectUrl": template.needs_link,
        "required": required_json(template),
        "requiredByChannel": required_on_json(template),
    }


def all_required(template: CompiledTemplate) -> list[str]:
    """Return the parameters that some language requires, sorted."""
    return sorted(set().union(*(template.required(language) for language in template.languages)))
