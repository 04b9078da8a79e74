"""What goes over the pipe: messages with their length before them, as MessagePack. Nothing is ever unpickled."""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from lamina.errors import LostCallError
from lamina.model import Call, Image, Text
from lamina.outputs import Blob, Failure, Output
from lamina.protocols import RunRequest, ToolReference

LENGTH = struct.Struct(">I")


def packed(message: Any) -> bytes:
    """A message, ready to be written."""
    body = msgspec.msgpack.encode(message)
    return LENGTH.pack(len(body)) + body


def request_frame(run: RunRequest, reference: ToolReference) -> bytes:
    """A call."""
    call = run.call
    made = {"tool": call.tool, "arguments": dict(call.arguments), "id": call.id, "session": call.session}
    return packed({"call": made, "key": run.key, "attempt": run.attempt, "target": reference.target, "settings": dict(reference.settings)})  # fmt: skip


def call_of_frame(frame: dict[str, Any], report: Any) -> RunRequest:
    """The call again."""
    return RunRequest(Call(**frame["call"]), frame["key"], frame["attempt"], report)


def frame_of_output(output: Output) -> dict[str, Any]:
    """An output, as it is shipped."""
    failure = output.failure
    parts: list[list[Any]] = []
    for part in output.parts:
        match part:
            case Text(text=text):
                parts.append(["text", text])
            case Image(media_type=media_type, data=data):
                parts.append(["image", media_type, data])
            case Blob():
                parts.append(["blob", part.media_type, part.data, part.reference, part.size, part.name])
    said = None if failure is None else [failure.type, failure.message, failure.retryable, failure.hint]
    return {"parts": parts, "structured": output.structured, "failure": said}


def output_of_frame(frame: Any) -> Output:
    """An output again; what is none means that the process is not to be believed.

    Raises:
        LostCallError: It is none.
    """
    kinds: dict[str, Any] = {"text": Text, "image": Image, "blob": Blob}
    try:
        parts = tuple([kinds[kind](*rest) for kind, *rest in frame["parts"]])
        failure = frame["failure"]
        return Output(parts, frame["structured"], None if failure is None else Failure(*failure))
    except (TypeError, KeyError, ValueError) as error:
        raise LostCallError("the tool's process sent what is no output") from error
