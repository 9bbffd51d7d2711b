"""Every error copydesk raises on purpose, each with a stable code.

    CopydeskError
    ├── ConfigurationError            wrong settings, unknown source, unusable server
    │   └── PreflightError            the server would lose data (evicts, no AOF, too old, Cluster)
    ├── StateError                    the state server cannot be reached or answers nonsense
    ├── FetchError                    a source gave no bytes (network, HTTP status, size, time)
    ├── DocumentError                 one document cannot become an article
    │   ├── Rejected                  judged: nothing here to publish (counted as rejected)
    │   └── Failed                    broken while working on it (buried as dead)
    └── SinkError                     the store cannot take a record

Codes are part of the interface: they stand in dead letters, counters and `copydesk parse` output,
and never change their meaning. `REJECTION_CODES` and `FAILURE_CODES` list them all.
"""

from __future__ import annotations

from typing import ClassVar

REJECTION_CODES = {
    "unsupported_format": "no parser for this kind of bytes yet",
    "empty_document": "no bytes, or nothing but white space",
    "binary_content": "bytes that are no text in any known encoding",
    "too_large": "larger than limits.document_bytes",
    "no_article": "readable, but holds no headline and no body",
    "no_entries": "a feed without entries",
    "malformed_json": "not valid JSON",
    "malformed_feed": "announces itself as a feed, but no entry can be read",
    "malformed_xml": "XML in which nothing can be read",
    "entity_declaration": "XML that declares entities (refused before any parser sees it)",
    "truncated_container": "a container, or a member of it, ends early or is damaged; what could be read was taken",
    "expansion_limit": "unpacks to more than limits.expanded_bytes or limits.expansion_ratio times its size",
    "nested_too_deep": "containers in each other beyond limits.nesting",
    "too_many_members": "more members than limits.members, or articles than one document gives; the first were taken",
    "empty_container": "a container that holds no document",
    "encrypted_member": "a member of a container that needs a password",
    "skipped_member": "a member of a container that is no regular file (a link or a device)",
}
FAILURE_CODES = {
    "parse_error": "the parser raised an unexpected error",
    "parse_timeout": "parsing took more CPU time than limits.parse_seconds",
    "out_of_memory": "parsing needed more than limits.parse_memory_bytes",
    "unreadable": "the bytes could not be read from the disk or the spool",
    "poison": "three deliveries ended without a verdict (the worker died each time)",
    "dedupe_error": "fingerprinting raised an unexpected error",
    "sink_error": "the store refused the record",
    "foreign_message": "a message on a queue that is no bell of this version (kept, never executed)",
}


class CopydeskError(Exception):
    """Base of all errors raised on purpose; `code` is stable and machine-readable."""

    code = "error"


class ConfigurationError(CopydeskError):
    """Settings, sources or arguments that cannot work; the message says what to change."""

    code = "configuration"


class PreflightError(ConfigurationError):
    """The state server is unsafe for a ledger; the message says how to fix it."""

    code = "preflight"


class StateError(CopydeskError):
    """The state server cannot be reached, or its answer does not make sense."""

    code = "state"


class FetchError(CopydeskError):
    """A source gave no usable bytes. `code` is one of http_status, timeout, network, too_large, refused, unreadable."""

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class DocumentError(CopydeskError):
    """One document cannot become an article; its neighbours go on."""

    codes: ClassVar[dict[str, str]] = {}

    def __init__(self, code: str, detail: str = "") -> None:
        if code not in self.codes:
            raise ValueError(f"{code!r} is not a registered code of {type(self).__name__}")
        super().__init__(detail or self.codes[code])
        self.code = code
        self.detail = detail or self.codes[code]


class Rejected(DocumentError):
    """Judged and refused: the document was understood well enough to know there is nothing to publish."""

    codes = REJECTION_CODES


class Failed(DocumentError):
    """Broken while working on it: the document is buried with its bytes and can be replayed."""

    codes = FAILURE_CODES


class SinkError(CopydeskError):
    """The store cannot take a record or cannot be reached."""

    code = "sink_error"
