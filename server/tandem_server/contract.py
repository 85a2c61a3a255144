"""Every message of the wire, once: the OpenAI Realtime GA events as the `openai` package types them, and `tandem.*`.

Client events are parsed through one discriminated union; server events are instances of the package's own models, so
that what we send is what its users' type checkers expect. Unknown client events and fields that do not fit are a
`ClientError` that names the field. The binary audio frame is at the end of the file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, get_args

from openai.types.realtime import (
    ConversationItem,
    ConversationItemCreateEvent,
    ConversationItemDeleteEvent,
    ConversationItemRetrieveEvent,
    ConversationItemTruncateEvent,
    InputAudioBufferAppendEvent,
    InputAudioBufferClearEvent,
    InputAudioBufferCommitEvent,
    OutputAudioBufferClearEvent,
    RealtimeResponseCreateParams,
    RealtimeServerEvent,
    ResponseCancelEvent,
    ResponseCreateEvent,
    SessionUpdateEvent,
    session_update_event,
)
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError, from_json

from tandem_models.measures import Measure
from tandem_models.prosody import NAMES
from tandem_models.surrogates import MINIMUM
from tandem_server.errors import ClientError


class ItemReference(BaseModel):
    """An item of the conversation, by its id."""

    type: Literal["item_reference"]
    id: str


class ResponseParams(RealtimeResponseCreateParams):
    """The `openai` package sends references as `input`, but has no place for them in what it receives."""

    input: list[ConversationItem | ItemReference] | None = None  # type: ignore[assignment]


class CreateResponseEvent(ResponseCreateEvent):
    """`response.create`."""

    response: ResponseParams | None = None


ClientEvent = Annotated[
    SessionUpdateEvent
    | InputAudioBufferAppendEvent
    | InputAudioBufferCommitEvent
    | InputAudioBufferClearEvent
    | ConversationItemCreateEvent
    | ConversationItemRetrieveEvent
    | ConversationItemDeleteEvent
    | ConversationItemTruncateEvent
    | CreateResponseEvent
    | ResponseCancelEvent
    | OutputAudioBufferClearEvent,
    Field(discriminator="type"),
]
_CLIENT_EVENT: Final[TypeAdapter[ClientEvent]] = TypeAdapter(ClientEvent)

SessionPreset = session_update_event.Session
"""The settings of a session as a client sends them"""
StrategyName = Literal["neutral", "match", "rule", "neural", "anti", "yoked"]
FeatureValues = dict[str, float | None]
"""Feature name -> value; null is missing."""


class TandemModel(BaseModel):
    """Base of our own messages: closed, so that a misspelt setting is an error and not silence."""

    model_config = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True)


Strength = Annotated[float, Field(ge=0.0, le=1.5)]
"""Gain from the user's deviation to the agent's; 0 is neutral."""


class Assignment(TandemModel):
    """What an experiment's plan has decided."""

    plan: str
    condition: str
    session: int
    """The participant's conversations under the plan, this one included"""


def _named(user_id: str) -> str:
    if not user_id.strip():
        raise PydanticCustomError("blank", "it is blank; leave it out, or send null, for a user who is not remembered")
    return user_id


class TandemSettings(TandemModel):
    """The `tandem` field of a session: what OpenAI's protocol has no word for."""

    strategy: StrategyName = "match"
    strength: Strength = 1.0
    features: list[str] = Field(default_factory=lambda: list(NAMES))
    """The features the strategy may move; the others stay the voice's own."""
    strengths: dict[str, Strength] = Field(default_factory=dict)
    """Feature -> its own strength, in place of `strength`"""
    donor: str | None = Field(default=None, max_length=64)
    """`yoked`: the conversation whose targets are repeated; null lets the server draw one"""
    seed: int = 0
    """Decides what is drawn"""
    assignment: Assignment | None = None
    """The server's: the condition under which its experiment plan has put this session"""
    speculate: bool = True
    """Prepare the reply in every pause that may be the end, though the responder is then asked in vain now and then."""
    resume_interrupted: bool = True
    """Go on with a reply that was cut off by a cough or a "mhm", where it was cut."""
    events: bool = False
    """Send `tandem.*` events. A client that sends a `tandem` object knows them and gets them unless it says no; to the
    others they would be errors (openai-agents for Python refuses types it does not know)."""
    echo: Literal["suppress", "hear"] = "suppress"
    """What becomes of the agent's voice where a microphone picks it up: no speech, or speech like any other's."""
    user_id: Annotated[str, AfterValidator(_named)] | None = Field(default=None, max_length=128)
    """Keeps the speaker's normaliser from one conversation to the next. Blank is an error: a form that was left empty
    would make all its users one person, and to forget them silently would spoil a study."""
    audio_frames: Literal["base64", "binary"] = "base64"
    """`binary`: agent audio comes as binary WebSocket messages (see `AudioFrame`)."""


class PitchTrack(TandemModel):
    """Pitch in semitones re 100 Hz; null is unvoiced."""

    start_ms: int
    """User: on the session's audio clock. Agent: from the start of the item's audio."""
    hop_ms: int
    pitch: list[float | None]


class UserProsodyEvent(TandemModel):
    """How the user is speaking (`final` false: pitch so far) or has spoken (`final` true: the whole vector)."""

    type: Literal["tandem.user.prosody"] = "tandem.user.prosody"
    event_id: str
    item_id: str
    final: bool
    track: PitchTrack
    features: FeatureValues | None = None
    z: FeatureValues | None = None
    """Against this speaker's own posterior before the turn."""
    level: FeatureValues | None = None
    """Against the population: where the speaker stands among speakers."""
    duration_s: float | None = None
    voiced_s: float | None = None
    flags: list[str] = Field(default_factory=list)


class AgentTargetEvent(TandemModel):
    """How the agent is about to speak."""

    type: Literal["tandem.agent.target"] = "tandem.agent.target"
    event_id: str
    response_id: str
    item_id: str
    strategy: StrategyName
    features: FeatureValues
    z: FeatureValues
    spread: FeatureValues = Field(default_factory=dict)
    """How unsure the strategy is of what it wants (standard deviation, z); null where it cannot tell"""


class AgentRealisedEvent(TandemModel):
    """How the agent has spoken, by the extractor that hears the user."""

    type: Literal["tandem.agent.realised"] = "tandem.agent.realised"
    event_id: str
    response_id: str
    item_id: str
    features: FeatureValues
    z: FeatureValues
    track: PitchTrack
    limits: list[str]
    """What the voice could not reach, in words."""


class FeatureMeasure(TandemModel):
    """One feature of one exchange, all in units of z."""

    user: float | None
    target: float | None
    realised: float | None
    distance: float | None
    """|user - realised|: what proximity is made of."""


class EntrainmentMeasure(TandemModel):
    """One measure of one feature over the conversation so far (see `tandem_models.measures`)."""

    measure: Measure
    responder: Literal["agent", "user"]
    """Whose answers are looked at: `agent` is how the agent follows the user"""
    feature: str
    n: int
    """Exchanges in which both sides were measured"""
    effect: float | None
    """Proximity: z by which answers are nearer than other pairs; the others: Pearson's r. Null: not enough yet"""
    p: float | None
    """Two-sided, against shuffled and shifted surrogates"""
    p_adjusted: float | None
    """After Benjamini and Hochberg, over all that was tested in this event"""


class EntrainmentEvent(TandemModel):
    """The exchange just ended, feature by feature, and what the conversation shows so far."""

    type: Literal["tandem.entrainment"] = "tandem.entrainment"
    event_id: str
    exchange: int
    """From 1"""
    strategy: StrategyName
    features: dict[str, FeatureMeasure]
    measures: list[EntrainmentMeasure] = Field(default_factory=list)
    needed: int = MINIMUM
    """Exchanges that a test takes"""


class LatencyEvent(TandemModel):
    """Milliseconds from the end of the user's turn to the first audio of the reply, by stage."""

    type: Literal["tandem.latency"] = "tandem.latency"
    event_id: str
    response_id: str
    stages_ms: dict[str, float]


class ExpiresAfter(TandemModel):
    """How long a client secret opens sessions; a session once open goes on."""

    anchor: Literal["created_at"] = "created_at"
    seconds: int = Field(default=600, ge=10, le=7200)


class ClientSecretRequest(TandemModel):
    """Body of `POST /v1/realtime/client_secrets`."""

    expires_after: ExpiresAfter = Field(default_factory=ExpiresAfter)
    session: SessionPreset | None = None
    """What a session opened with the secret starts with"""


TandemEvent = UserProsodyEvent | AgentTargetEvent | AgentRealisedEvent | EntrainmentEvent | LatencyEvent
ServerEvent = RealtimeServerEvent | TandemEvent


def prepare() -> None:
    """Build every validator now (25 ms): the `openai` package builds each at its first use, in somebody's reply."""
    for model in event_types(ServerEvent):
        model.model_rebuild()


def event_types(union: object) -> Iterator[type[BaseModel]]:
    """The message classes of a union, however it is nested."""
    for part in get_args(union):
        if isinstance(part, type):
            if issubclass(part, BaseModel):
                yield part
        else:
            yield from event_types(part)


def parse_client_event(message: str | bytes) -> ClientEvent:
    """One text message -> event. Raises ClientError that names the event and its field at fault."""
    try:
        return _CLIENT_EVENT.validate_json(message)
    except ValidationError as error:
        mistake = _as_client_error(error)
        mistake.event_id = _event_id(message)
        raise mistake from None
    except RecursionError:
        raise ClientError("the message is nested too deeply", code="invalid_json") from None


def _event_id(message: str | bytes) -> str | None:
    """Of a message that is no event but may have an id all the same."""
    try:
        found = from_json(message)
    except ValueError:
        return None
    event_id = found.get("event_id") if isinstance(found, dict) else None
    return event_id if isinstance(event_id, str) else None


def _as_client_error(error: ValidationError) -> ClientError:
    # Unions report every branch they tried; the deepest location is the branch the client meant.
    first = max(error.errors(include_url=False, include_input=False), key=lambda one: len(one["loc"]))
    kind, where = first["type"], [str(part) for part in first["loc"]]
    if kind == "json_invalid":
        return ClientError(f"the message is not valid JSON: {first['msg']}", code="invalid_json")
    if kind == "union_tag_not_found":
        return ClientError("every event needs a `type`", code="missing_required_parameter", param="type")
    if kind == "union_tag_invalid":
        context: dict[str, Any] = first.get("ctx", {})
        return ClientError(f"unknown event type {context.get('tag')!r}", code="unknown_event_type", param="type")
    if not where:
        return ClientError("every event is a JSON object", code="invalid_json")
    param = ".".join(part for part in where[1:] if part[:1].islower()) or None
    code = "missing_required_parameter" if kind == "missing" else "invalid_value"
    return ClientError(f"{where[0]}: {param or 'event'}: {first['msg']}", code=code, param=param)


def to_json(event: ServerEvent) -> str:
    """A server event as it goes over the wire: fields that were not set are absent, not null."""
    if isinstance(event, TandemModel):
        return event.model_dump_json(exclude_none=False)
    return event.model_dump_json(exclude_unset=True)


def event_id(event: ServerEvent) -> str:
    """Every event of ours has one; that of telephone keys, which we never send, has none."""
    return str(getattr(event, "event_id", ""))


AUDIO_FRAME_VERSION: Final = 1
FrameKind = Literal["input", "output"]
_KINDS: Final[dict[FrameKind, int]] = {"input": 1, "output": 2}
_HEADER: Final = struct.Struct("<BBHId")
AUDIO_FRAME_HEADER: Final = _HEADER.size
"""Bytes before the samples; a multiple of 2 and 8, so that a browser can view them in place."""


@dataclass(frozen=True, slots=True)
class AudioFrame:
    """A binary WebSocket message: header (kind u8, version u8, reserved u16, sequence u32, time f64), then pcm16.

    All little-endian; pcm16 is mono at 24 kHz. Output frames belong to the content part announced last by
    `response.content_part.added`; their time is the milliseconds of audio of that part before this frame. The sequence
    and the capture time of input frames let a client's own measurements be matched; the server does not use them.
    """

    kind: FrameKind
    sequence: int
    time_ms: float
    pcm: bytes

    def encode(self) -> bytes:
        """Header and samples."""
        return (
            _HEADER.pack(_KINDS[self.kind], AUDIO_FRAME_VERSION, 0, self.sequence & 0xFFFFFFFF, self.time_ms) + self.pcm
        )

    @classmethod
    def decode(cls, message: bytes) -> AudioFrame:
        """Raises ClientError for anything but a whole frame of this version."""
        if len(message) < AUDIO_FRAME_HEADER:
            raise ClientError(
                f"a binary message of {len(message)} bytes has no audio header", code="invalid_audio_frame"
            )
        kind, version, reserved, sequence, time_ms = _HEADER.unpack_from(message)
        names: dict[int, FrameKind] = {number: name for name, number in _KINDS.items()}
        if version != AUDIO_FRAME_VERSION or kind not in names or reserved:
            raise ClientError(f"unknown audio frame (kind {kind}, version {version})", code="invalid_audio_frame")
        pcm = message[AUDIO_FRAME_HEADER:]
        if len(pcm) % 2:
            raise ClientError("a binary audio frame holds half a sample", code="invalid_audio_frame")
        return cls(names[kind], sequence, time_ms, pcm)
