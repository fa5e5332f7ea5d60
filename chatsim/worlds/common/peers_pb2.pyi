from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetChatServerReq(_message.Message):
    __slots__ = ("uid",)
    UID_FIELD_NUMBER: _ClassVar[int]
    uid: int
    def __init__(self, uid: _Optional[int] = ...) -> None: ...

class GetChatServerRsp(_message.Message):
    __slots__ = ("error", "host", "port", "token")
    ERROR_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    error: int
    host: str
    port: str
    token: str
    def __init__(self, error: _Optional[int] = ..., host: _Optional[str] = ..., port: _Optional[str] = ..., token: _Optional[str] = ...) -> None: ...

class AddFriendReq(_message.Message):
    __slots__ = ("applyuid", "name", "desc", "icon", "nick", "sex", "touid", "session")
    APPLYUID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESC_FIELD_NUMBER: _ClassVar[int]
    ICON_FIELD_NUMBER: _ClassVar[int]
    NICK_FIELD_NUMBER: _ClassVar[int]
    SEX_FIELD_NUMBER: _ClassVar[int]
    TOUID_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    applyuid: int
    name: str
    desc: str
    icon: str
    nick: str
    sex: int
    touid: int
    session: str
    def __init__(self, applyuid: _Optional[int] = ..., name: _Optional[str] = ..., desc: _Optional[str] = ..., icon: _Optional[str] = ..., nick: _Optional[str] = ..., sex: _Optional[int] = ..., touid: _Optional[int] = ..., session: _Optional[str] = ...) -> None: ...

class AddFriendRsp(_message.Message):
    __slots__ = ("error", "applyuid", "touid")
    ERROR_FIELD_NUMBER: _ClassVar[int]
    APPLYUID_FIELD_NUMBER: _ClassVar[int]
    TOUID_FIELD_NUMBER: _ClassVar[int]
    error: int
    applyuid: int
    touid: int
    def __init__(self, error: _Optional[int] = ..., applyuid: _Optional[int] = ..., touid: _Optional[int] = ...) -> None: ...

class AddFriendMsg(_message.Message):
    __slots__ = ("sender_id", "unique_id", "msg_id", "thread_id", "msgcontent")
    SENDER_ID_FIELD_NUMBER: _ClassVar[int]
    UNIQUE_ID_FIELD_NUMBER: _ClassVar[int]
    MSG_ID_FIELD_NUMBER: _ClassVar[int]
    THREAD_ID_FIELD_NUMBER: _ClassVar[int]
    MSGCONTENT_FIELD_NUMBER: _ClassVar[int]
    sender_id: int
    unique_id: str
    msg_id: int
    thread_id: int
    msgcontent: str
    def __init__(self, sender_id: _Optional[int] = ..., unique_id: _Optional[str] = ..., msg_id: _Optional[int] = ..., thread_id: _Optional[int] = ..., msgcontent: _Optional[str] = ...) -> None: ...

class AuthFriendReq(_message.Message):
    __slots__ = ("fromuid", "touid", "textmsgs", "session", "uid", "name", "nick", "icon", "sex")
    FROMUID_FIELD_NUMBER: _ClassVar[int]
    TOUID_FIELD_NUMBER: _ClassVar[int]
    TEXTMSGS_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    NICK_FIELD_NUMBER: _ClassVar[int]
    ICON_FIELD_NUMBER: _ClassVar[int]
    SEX_FIELD_NUMBER: _ClassVar[int]
    fromuid: int
    touid: int
    textmsgs: _containers.RepeatedCompositeFieldContainer[AddFriendMsg]
    session: str
    uid: int
    name: str
    nick: str
    icon: str
    sex: int
    def __init__(self, fromuid: _Optional[int] = ..., touid: _Optional[int] = ..., textmsgs: _Optional[_Iterable[_Union[AddFriendMsg, _Mapping]]] = ..., session: _Optional[str] = ..., uid: _Optional[int] = ..., name: _Optional[str] = ..., nick: _Optional[str] = ..., icon: _Optional[str] = ..., sex: _Optional[int] = ...) -> None: ...

class AuthFriendRsp(_message.Message):
    __slots__ = ("error", "fromuid", "touid")
    ERROR_FIELD_NUMBER: _ClassVar[int]
    FROMUID_FIELD_NUMBER: _ClassVar[int]
    TOUID_FIELD_NUMBER: _ClassVar[int]
    error: int
    fromuid: int
    touid: int
    def __init__(self, error: _Optional[int] = ..., fromuid: _Optional[int] = ..., touid: _Optional[int] = ...) -> None: ...

class TextChatData(_message.Message):
    __slots__ = ("unique_id", "msg_id", "msgcontent", "chat_time", "seq", "sender", "msg_type", "status")
    UNIQUE_ID_FIELD_NUMBER: _ClassVar[int]
    MSG_ID_FIELD_NUMBER: _ClassVar[int]
    MSGCONTENT_FIELD_NUMBER: _ClassVar[int]
    CHAT_TIME_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    MSG_TYPE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    unique_id: str
    msg_id: int
    msgcontent: str
    chat_time: str
    seq: int
    sender: int
    msg_type: int
    status: int
    def __init__(self, unique_id: _Optional[str] = ..., msg_id: _Optional[int] = ..., msgcontent: _Optional[str] = ..., chat_time: _Optional[str] = ..., seq: _Optional[int] = ..., sender: _Optional[int] = ..., msg_type: _Optional[int] = ..., status: _Optional[int] = ...) -> None: ...

class TextChatMsgReq(_message.Message):
    __slots__ = ("fromuid", "touid", "thread_id", "textmsgs", "session", "uid")
    FROMUID_FIELD_NUMBER: _ClassVar[int]
    TOUID_FIELD_NUMBER: _ClassVar[int]
    THREAD_ID_FIELD_NUMBER: _ClassVar[int]
    TEXTMSGS_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    fromuid: int
    touid: int
    thread_id: int
    textmsgs: _containers.RepeatedCompositeFieldContainer[TextChatData]
    session: str
    uid: int
    def __init__(self, fromuid: _Optional[int] = ..., touid: _Optional[int] = ..., thread_id: _Optional[int] = ..., textmsgs: _Optional[_Iterable[_Union[TextChatData, _Mapping]]] = ..., session: _Optional[str] = ..., uid: _Optional[int] = ...) -> None: ...

class TextChatMsgRsp(_message.Message):
    __slots__ = ("error", "fromuid", "touid", "thread_id", "textmsgs")
    ERROR_FIELD_NUMBER: _ClassVar[int]
    FROMUID_FIELD_NUMBER: _ClassVar[int]
    TOUID_FIELD_NUMBER: _ClassVar[int]
    THREAD_ID_FIELD_NUMBER: _ClassVar[int]
    TEXTMSGS_FIELD_NUMBER: _ClassVar[int]
    error: int
    fromuid: int
    touid: int
    thread_id: int
    textmsgs: _containers.RepeatedCompositeFieldContainer[TextChatData]
    def __init__(self, error: _Optional[int] = ..., fromuid: _Optional[int] = ..., touid: _Optional[int] = ..., thread_id: _Optional[int] = ..., textmsgs: _Optional[_Iterable[_Union[TextChatData, _Mapping]]] = ...) -> None: ...

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
