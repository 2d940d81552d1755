"""Bodies of multipart/form-data (RFC 7578), read as a whole."""

from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser


@dataclass(frozen=True)
class Part:
    name: str
    content: bytes
    filename: str | None
    content_type: str | None


def parse(content_type: str, body: bytes) -> dict[str, Part]:
    """Parts by name, the last of each. Raises ValueError for what is no such body."""
    boundary = _header("content-type", content_type).get_boundary()
    if not content_type.lower().startswith("multipart/form-data") or not boundary:
        raise ValueError("the body must be multipart/form-data")
    delimiter = b"--" + boundary.encode()
    sections = (b"\r\n" + body).split(b"\r\n" + delimiter)
    if len(sections) < 3 or not sections[-1].startswith(b"--"):
        raise ValueError("the multipart body is cut short")
    return {part.name: part for part in map(_part, sections[1:-1])}


def _part(section: bytes) -> Part:
    # Up to the line's end may come blanks, by RFC 2046.
    head, found, content = section.partition(b"\r\n")[2].partition(b"\r\n\r\n")
    headers = BytesHeaderParser().parsebytes(head + b"\r\n\r\n")
    name = headers.get_param("name", header="content-disposition")
    if not found or not isinstance(name, str):
        raise ValueError("a part has no name")
    is_typed = "content-type" in headers
    return Part(name, content, headers.get_filename(), headers.get_content_type() if is_typed else None)


def _header(name: str, value: str) -> Message:
    message = Message()
    message[name] = value
    return message
