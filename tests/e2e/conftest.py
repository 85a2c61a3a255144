"""Servers that tests may share: nobody may kill or fill these. And what is said to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from .serving import FAKES, Served, serving
from .talking import recording, tone

STEADY = (
    "I have been thinking about what you said. There is a good deal in it, and I would like to hear more. "
    "Perhaps we can go through it again, one thing after another."
)
"""What the steady server answers, whatever it is told."""
STORY = " ".join([STEADY] * 4)
"""What the talkative servers answer: more than a second of work, so that there is time to interrupt."""
CALL = 'fake:call weather {"city": "Paris"}'
"""The responder of the calling servers: asks for the tool `weather`, if it is offered, then says what it was told."""
TOKEN = "sesame"
"""What the talkative and the calling servers let in."""


@pytest.fixture(scope="session")
def fake_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Fakes for engines: quick, and the same every time."""
    with serving(tmp_path_factory.mktemp("fakes"), **FAKES) as served:
        yield served


@pytest.fixture(scope="module")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """What a new user gets offline: Silero, PocketSphinx, the listener, espeak."""
    with serving(tmp_path_factory.mktemp("real"), asr="pocketsphinx") as served:
        yield served


@pytest.fixture(scope="session")
def steady_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Real ears and a real voice, and always the same words: what differs is how they are spoken."""
    with serving(tmp_path_factory.mktemp("steady"), asr="pocketsphinx", response=f"fake:{STEADY}") as served:
        yield served


@pytest.fixture(scope="session")
def talkative_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Fakes that tell a long story, always in the same voice, to whoever has the token."""
    settings = {**FAKES, "response": f"fake:{STORY}", "strategy": "neutral", "token": TOKEN, "resume_seconds": 30}
    with serving(tmp_path_factory.mktemp("talkative"), **settings) as served:
        yield served


@pytest.fixture(scope="session")
def calling_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Fakes that ask for a tool, for whoever has the token."""
    settings = {**FAKES, "response": CALL, "token": TOKEN}
    with serving(tmp_path_factory.mktemp("calling"), **settings) as served:
        yield served


@dataclass(frozen=True)
class Certificate:
    """For this machine: three PEM files."""

    chain: Path
    key: Path
    authority: Path

    @property
    def settings(self) -> dict[str, object]:
        """Of a server that shows it."""
        return {"tls_certificate": self.chain, "tls_key": self.key}


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Signed by an authority that nobody knows."""
    folder = tmp_path_factory.mktemp("certificates")
    made = Certificate(folder / "certificate.pem", folder / "key.pem", folder / "authority.pem")
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    made.chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    made.key.write_bytes(issued.private_key_pem.bytes())
    made.authority.write_bytes(authority.cert_pem.bytes())
    return made


@pytest.fixture(scope="session")
def talkative_tls_server(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[Served]:
    """The talkative server for clients that speak nothing but TLS."""
    settings = {**FAKES, "response": f"fake:{STORY}", "strategy": "neutral", "token": TOKEN, **certificate.settings}
    with serving(tmp_path_factory.mktemp("talkative_tls"), **settings) as served:
        assert served.tls, f"the server was given a certificate, and said:\n{served.said}"
        yield served


@pytest.fixture(scope="session")
def calling_tls_server(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[Served]:
    """The calling server for clients that speak nothing but TLS."""
    settings = {**FAKES, "response": CALL, "token": TOKEN, **certificate.settings}
    with serving(tmp_path_factory.mktemp("calling_tls"), **settings) as served:
        assert served.tls, f"the server was given a certificate, and said:\n{served.said}"
        yield served


@pytest.fixture(scope="session")
def question(shared_data: Path) -> tuple[bytes, str]:
    """A recording that PocketSphinx understands, and its words."""
    name = "turn_off_the_living_room_lamp"
    return recording(shared_data / "speech" / "voxforge_rhasspy" / f"{name}.flac"), name.replace("_", " ")


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the fakes take for speech, as a file of pcm16 at WIRE_RATE."""
    path = tmp_path_factory.mktemp("speech") / "speech.pcm"
    path.write_bytes(tone(0.8))
    return path
