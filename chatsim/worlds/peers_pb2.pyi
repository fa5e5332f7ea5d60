from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class KickUserReq(_message.Message):
    __slots__ = ("uid", "session")
    UID_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    uid: int
    session: str
    def __init__(self, uid: _Optional[int] = ..., session: _Optional[str] = ...) -> None: ...

class KickUserRsp(_message.Message):
    __slots__ = ("error", "uid")
    ERROR_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    error: int
    uid: int
    def __init__(self, error: _Optional[int] = ..., uid: _Optional[int] = ...) -> None: ...

class PushReq(_message.Message):
    __slots__ = ("uid", "session", "frame")
    UID_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    uid: int
    session: str
    frame: bytes
    def __init__(self, uid: _Optional[int] = ..., session: _Optional[str] = ..., frame: _Optional[bytes] = ...) -> None: ...

class PushRsp(_message.Message):
    __slots__ = ("error",)
    ERROR_FIELD_NUMBER: _ClassVar[int]
    error: int
    def __init__(self, error: _Optional[int] = ...) -> None: ...
