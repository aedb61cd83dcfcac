from npc.v1 import dialogue_pb2 as _dialogue_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ChosenBecause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHOSEN_BECAUSE_UNSPECIFIED: _ClassVar[ChosenBecause]
    CHOSEN_BECAUSE_ADDRESSED: _ClassVar[ChosenBecause]
    CHOSEN_BECAUSE_NAMED: _ClassVar[ChosenBecause]
    CHOSEN_BECAUSE_RELEVANT: _ClassVar[ChosenBecause]
    CHOSEN_BECAUSE_SILENT: _ClassVar[ChosenBecause]
    CHOSEN_BECAUSE_SPOKE_LAST: _ClassVar[ChosenBecause]
    CHOSEN_BECAUSE_TRIGGERED: _ClassVar[ChosenBecause]

class RestBecause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REST_BECAUSE_UNSPECIFIED: _ClassVar[RestBecause]
    REST_BECAUSE_LINES: _ClassVar[RestBecause]
    REST_BECAUSE_PLAYER_NAMED: _ClassVar[RestBecause]
    REST_BECAUSE_INTERRUPTED: _ClassVar[RestBecause]
CHOSEN_BECAUSE_UNSPECIFIED: ChosenBecause
CHOSEN_BECAUSE_ADDRESSED: ChosenBecause
CHOSEN_BECAUSE_NAMED: ChosenBecause
CHOSEN_BECAUSE_RELEVANT: ChosenBecause
CHOSEN_BECAUSE_SILENT: ChosenBecause
CHOSEN_BECAUSE_SPOKE_LAST: ChosenBecause
CHOSEN_BECAUSE_TRIGGERED: ChosenBecause
REST_BECAUSE_UNSPECIFIED: RestBecause
REST_BECAUSE_LINES: RestBecause
REST_BECAUSE_PLAYER_NAMED: RestBecause
REST_BECAUSE_INTERRUPTED: RestBecause

class ScenePlayer(_message.Message):
    __slots__ = ("player_id", "name", "training_consent")
    PLAYER_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TRAINING_CONSENT_FIELD_NUMBER: _ClassVar[int]
    player_id: str
    name: str
    training_consent: bool
    def __init__(self, player_id: _Optional[str] = ..., name: _Optional[str] = ..., training_consent: _Optional[bool] = ...) -> None: ...

class StartSceneRequest(_message.Message):
    __slots__ = ("characters", "players", "place", "world")
    class WorldEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _dialogue_pb2.WorldValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_dialogue_pb2.WorldValue, _Mapping]] = ...) -> None: ...
    CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    PLAYERS_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    WORLD_FIELD_NUMBER: _ClassVar[int]
    characters: _containers.RepeatedScalarFieldContainer[str]
    players: _containers.RepeatedCompositeFieldContainer[ScenePlayer]
    place: str
    world: _containers.MessageMap[str, _dialogue_pb2.WorldValue]
    def __init__(self, characters: _Optional[_Iterable[str]] = ..., players: _Optional[_Iterable[_Union[ScenePlayer, _Mapping]]] = ..., place: _Optional[str] = ..., world: _Optional[_Mapping[str, _dialogue_pb2.WorldValue]] = ...) -> None: ...

class StartSceneResponse(_message.Message):
    __slots__ = ("scene_id", "members", "training_consent")
    SCENE_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    TRAINING_CONSENT_FIELD_NUMBER: _ClassVar[int]
    scene_id: str
    members: _containers.RepeatedCompositeFieldContainer[SceneMember]
    training_consent: bool
    def __init__(self, scene_id: _Optional[str] = ..., members: _Optional[_Iterable[_Union[SceneMember, _Mapping]]] = ..., training_consent: _Optional[bool] = ...) -> None: ...

class SceneMember(_message.Message):
    __slots__ = ("character", "character_name", "persona_version", "adapter_version")
    CHARACTER_FIELD_NUMBER: _ClassVar[int]
    CHARACTER_NAME_FIELD_NUMBER: _ClassVar[int]
    PERSONA_VERSION_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_VERSION_FIELD_NUMBER: _ClassVar[int]
    character: str
    character_name: str
    persona_version: str
    adapter_version: str
    def __init__(self, character: _Optional[str] = ..., character_name: _Optional[str] = ..., persona_version: _Optional[str] = ..., adapter_version: _Optional[str] = ...) -> None: ...

class SayInSceneRequest(_message.Message):
    __slots__ = ("scene_id", "player_id", "text", "to", "audience", "max_replies", "seed", "sampling", "world", "line_id")
    class WorldEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _dialogue_pb2.WorldValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_dialogue_pb2.WorldValue, _Mapping]] = ...) -> None: ...
    SCENE_ID_FIELD_NUMBER: _ClassVar[int]
    PLAYER_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    MAX_REPLIES_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    WORLD_FIELD_NUMBER: _ClassVar[int]
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    scene_id: str
    player_id: str
    text: str
    to: _containers.RepeatedScalarFieldContainer[str]
    audience: _containers.RepeatedScalarFieldContainer[str]
    max_replies: int
    seed: int
    sampling: _dialogue_pb2.SamplingOverrides
    world: _containers.MessageMap[str, _dialogue_pb2.WorldValue]
    line_id: str
    def __init__(self, scene_id: _Optional[str] = ..., player_id: _Optional[str] = ..., text: _Optional[str] = ..., to: _Optional[_Iterable[str]] = ..., audience: _Optional[_Iterable[str]] = ..., max_replies: _Optional[int] = ..., seed: _Optional[int] = ..., sampling: _Optional[_Union[_dialogue_pb2.SamplingOverrides, _Mapping]] = ..., world: _Optional[_Mapping[str, _dialogue_pb2.WorldValue]] = ..., line_id: _Optional[str] = ...) -> None: ...

class ContinueRequest(_message.Message):
    __slots__ = ("scene_id", "lines", "event", "seed", "sampling", "world", "continue_id")
    class WorldEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _dialogue_pb2.WorldValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_dialogue_pb2.WorldValue, _Mapping]] = ...) -> None: ...
    SCENE_ID_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    WORLD_FIELD_NUMBER: _ClassVar[int]
    CONTINUE_ID_FIELD_NUMBER: _ClassVar[int]
    scene_id: str
    lines: int
    event: str
    seed: int
    sampling: _dialogue_pb2.SamplingOverrides
    world: _containers.MessageMap[str, _dialogue_pb2.WorldValue]
    continue_id: str
    def __init__(self, scene_id: _Optional[str] = ..., lines: _Optional[int] = ..., event: _Optional[str] = ..., seed: _Optional[int] = ..., sampling: _Optional[_Union[_dialogue_pb2.SamplingOverrides, _Mapping]] = ..., world: _Optional[_Mapping[str, _dialogue_pb2.WorldValue]] = ..., continue_id: _Optional[str] = ...) -> None: ...

class TriggerInSceneRequest(_message.Message):
    __slots__ = ("scene_id", "event", "text", "verbatim", "character", "audience", "seed", "sampling", "world", "trigger_id")
    class WorldEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _dialogue_pb2.WorldValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_dialogue_pb2.WorldValue, _Mapping]] = ...) -> None: ...
    SCENE_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    VERBATIM_FIELD_NUMBER: _ClassVar[int]
    CHARACTER_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    WORLD_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_ID_FIELD_NUMBER: _ClassVar[int]
    scene_id: str
    event: str
    text: str
    verbatim: str
    character: str
    audience: _containers.RepeatedScalarFieldContainer[str]
    seed: int
    sampling: _dialogue_pb2.SamplingOverrides
    world: _containers.MessageMap[str, _dialogue_pb2.WorldValue]
    trigger_id: str
    def __init__(self, scene_id: _Optional[str] = ..., event: _Optional[str] = ..., text: _Optional[str] = ..., verbatim: _Optional[str] = ..., character: _Optional[str] = ..., audience: _Optional[_Iterable[str]] = ..., seed: _Optional[int] = ..., sampling: _Optional[_Union[_dialogue_pb2.SamplingOverrides, _Mapping]] = ..., world: _Optional[_Mapping[str, _dialogue_pb2.WorldValue]] = ..., trigger_id: _Optional[str] = ...) -> None: ...

class SceneEvent(_message.Message):
    __slots__ = ("speaker", "chosen", "reply", "interrupted", "rest", "silence")
    SPEAKER_FIELD_NUMBER: _ClassVar[int]
    CHOSEN_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    INTERRUPTED_FIELD_NUMBER: _ClassVar[int]
    REST_FIELD_NUMBER: _ClassVar[int]
    SILENCE_FIELD_NUMBER: _ClassVar[int]
    speaker: str
    chosen: Chosen
    reply: _dialogue_pb2.ReplyEvent
    interrupted: Interrupted
    rest: Rest
    silence: _dialogue_pb2.Silence
    def __init__(self, speaker: _Optional[str] = ..., chosen: _Optional[_Union[Chosen, _Mapping]] = ..., reply: _Optional[_Union[_dialogue_pb2.ReplyEvent, _Mapping]] = ..., interrupted: _Optional[_Union[Interrupted, _Mapping]] = ..., rest: _Optional[_Union[Rest, _Mapping]] = ..., silence: _Optional[_Union[_dialogue_pb2.Silence, _Mapping]] = ...) -> None: ...

class Chosen(_message.Message):
    __slots__ = ("session_id", "score", "why")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    score: float
    why: _containers.RepeatedCompositeFieldContainer[WhyChosen]
    def __init__(self, session_id: _Optional[str] = ..., score: _Optional[float] = ..., why: _Optional[_Iterable[_Union[WhyChosen, _Mapping]]] = ...) -> None: ...

class WhyChosen(_message.Message):
    __slots__ = ("because", "points", "detail")
    BECAUSE_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    because: ChosenBecause
    points: float
    detail: str
    def __init__(self, because: _Optional[_Union[ChosenBecause, str]] = ..., points: _Optional[float] = ..., detail: _Optional[str] = ...) -> None: ...

class Interrupted(_message.Message):
    __slots__ = ("turn_id", "text")
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    text: str
    def __init__(self, turn_id: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class Rest(_message.Message):
    __slots__ = ("because",)
    BECAUSE_FIELD_NUMBER: _ClassVar[int]
    because: RestBecause
    def __init__(self, because: _Optional[_Union[RestBecause, str]] = ...) -> None: ...

class JoinRequest(_message.Message):
    __slots__ = ("scene_id", "character", "player")
    SCENE_ID_FIELD_NUMBER: _ClassVar[int]
    CHARACTER_FIELD_NUMBER: _ClassVar[int]
    PLAYER_FIELD_NUMBER: _ClassVar[int]
    scene_id: str
    character: str
    player: ScenePlayer
    def __init__(self, scene_id: _Optional[str] = ..., character: _Optional[str] = ..., player: _Optional[_Union[ScenePlayer, _Mapping]] = ...) -> None: ...

class JoinResponse(_message.Message):
    __slots__ = ("member", "training_consent")
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    TRAINING_CONSENT_FIELD_NUMBER: _ClassVar[int]
    member: SceneMember
    training_consent: bool
    def __init__(self, member: _Optional[_Union[SceneMember, _Mapping]] = ..., training_consent: _Optional[bool] = ...) -> None: ...

class LeaveRequest(_message.Message):
    __slots__ = ("scene_id", "character", "player_id")
    SCENE_ID_FIELD_NUMBER: _ClassVar[int]
    CHARACTER_FIELD_NUMBER: _ClassVar[int]
    PLAYER_ID_FIELD_NUMBER: _ClassVar[int]
    scene_id: str
    character: str
    player_id: str
    def __init__(self, scene_id: _Optional[str] = ..., character: _Optional[str] = ..., player_id: _Optional[str] = ...) -> None: ...

class LeaveResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CheckpointSceneRequest(_message.Message):
    __slots__ = ("scene_id",)
    SCENE_ID_FIELD_NUMBER: _ClassVar[int]
    scene_id: str
    def __init__(self, scene_id: _Optional[str] = ...) -> None: ...

class CheckpointSceneResponse(_message.Message):
    __slots__ = ("token", "lines")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    token: str
    lines: int
    def __init__(self, token: _Optional[str] = ..., lines: _Optional[int] = ...) -> None: ...

class RestoreSceneRequest(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: str
    def __init__(self, token: _Optional[str] = ...) -> None: ...

class RestoreSceneResponse(_message.Message):
    __slots__ = ("scene_id", "members", "player_names", "training_consent", "lines")
    SCENE_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    PLAYER_NAMES_FIELD_NUMBER: _ClassVar[int]
    TRAINING_CONSENT_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    scene_id: str
    members: _containers.RepeatedCompositeFieldContainer[SceneMember]
    player_names: _containers.RepeatedScalarFieldContainer[str]
    training_consent: bool
    lines: _containers.RepeatedCompositeFieldContainer[LivedLine]
    def __init__(self, scene_id: _Optional[str] = ..., members: _Optional[_Iterable[_Union[SceneMember, _Mapping]]] = ..., player_names: _Optional[_Iterable[str]] = ..., training_consent: _Optional[bool] = ..., lines: _Optional[_Iterable[_Union[LivedLine, _Mapping]]] = ...) -> None: ...

class LivedLine(_message.Message):
    __slots__ = ("speaker", "name", "text", "turn_id", "interrupted", "heard_by")
    SPEAKER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    INTERRUPTED_FIELD_NUMBER: _ClassVar[int]
    HEARD_BY_FIELD_NUMBER: _ClassVar[int]
    speaker: str
    name: str
    text: str
    turn_id: str
    interrupted: bool
    heard_by: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, speaker: _Optional[str] = ..., name: _Optional[str] = ..., text: _Optional[str] = ..., turn_id: _Optional[str] = ..., interrupted: _Optional[bool] = ..., heard_by: _Optional[_Iterable[str]] = ...) -> None: ...

class EndSceneRequest(_message.Message):
    __slots__ = ("scene_id",)
    SCENE_ID_FIELD_NUMBER: _ClassVar[int]
    scene_id: str
    def __init__(self, scene_id: _Optional[str] = ...) -> None: ...

class EndSceneResponse(_message.Message):
    __slots__ = ("turns",)
    TURNS_FIELD_NUMBER: _ClassVar[int]
    turns: int
    def __init__(self, turns: _Optional[int] = ...) -> None: ...

class BarksRequest(_message.Message):
    __slots__ = ("characters", "situation", "lines", "seed")
    CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    SITUATION_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    characters: _containers.RepeatedScalarFieldContainer[str]
    situation: str
    lines: int
    seed: int
    def __init__(self, characters: _Optional[_Iterable[str]] = ..., situation: _Optional[str] = ..., lines: _Optional[int] = ..., seed: _Optional[int] = ...) -> None: ...

class BarksResponse(_message.Message):
    __slots__ = ("barks",)
    BARKS_FIELD_NUMBER: _ClassVar[int]
    barks: _containers.RepeatedCompositeFieldContainer[Bark]
    def __init__(self, barks: _Optional[_Iterable[_Union[Bark, _Mapping]]] = ...) -> None: ...

class Bark(_message.Message):
    __slots__ = ("character", "text", "adapter_version")
    CHARACTER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_VERSION_FIELD_NUMBER: _ClassVar[int]
    character: str
    text: str
    adapter_version: str
    def __init__(self, character: _Optional[str] = ..., text: _Optional[str] = ..., adapter_version: _Optional[str] = ...) -> None: ...
