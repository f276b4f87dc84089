"""Every knob of the service, read once from the environment (`HANDFUL_PORT=9000`) and passed in."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, SettingsConfigDict

ZOO = Path(__file__).parent.parent / "models" / "zoo"
SECRETS = Path("/run/secrets")
"""Where Docker and Kubernetes put secrets: a file `handful_redis_url` there is as good as HANDFUL_REDIS_URL."""


Tenant = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{64}$", to_lower=True)]


def parse_worker_url(url: str) -> Path | tuple[str, int]:
    """Where a worker is: a socket's path, or host and port. Raises ValueError."""
    address = urlsplit(url)
    if address.scheme == "unix" and not address.netloc and address.path:
        return Path(address.path)
    if address.scheme == "tcp" and address.hostname and address.port:
        return address.hostname, address.port
    raise ValueError("a worker is at unix:///path or tcp://host:port")


def _checked(url: str) -> str:
    parse_worker_url(url)
    return url


WorkerUrl = Annotated[str, AfterValidator(_checked)]


class Settings(BaseSettings):
    """Frozen; each field says its unit and has its bounds."""

    model_config = SettingsConfigDict(
        env_prefix="HANDFUL_", frozen=True, extra="forbid", secrets_dir=SECRETS if SECRETS.is_dir() else None
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    published_host: str | None = Field(
        None, description="Address that others reach it at, where that is not `host`: of a container's published port."
    )
    api_keys: dict[Tenant, Sha256] = Field(
        {}, description="Tenant -> SHA-256 (hex) of its API key, as JSON. Empty: one tenant, and no key is asked for."
    )
    open: bool = Field(
        False, description="Let others than this machine in without a key: something in front asks who they are."
    )

    models: Path = Field(ZOO, description="Folder of the checkpoints and cards to serve.")
    default_model: str = Field("glyphs", description="The model of an /adapt that names none.")

    redis_url: str | None = Field(
        None,
        description="redis://, rediss://, unix://, redis+sentinel:// or redis+cluster:// URL, with options of redis-py "
        "after a ?. None: handful serve starts an embedded Valkey, whose file is kept in `store_dir`.",
    )
    redis_timeout_s: float = Field(2.0, gt=0, description="Seconds to wait for Redis before answering 503.")
    store_dir: Path = Field(Path("data"), description="Folder of the embedded Valkey's append-only file.")
    state_ttl_s: int = Field(
        7 * 24 * 3600, ge=1, description="Seconds that an unused state stays in Redis; then it is made again."
    )

    api_processes: int = Field(1, ge=1, description="Processes that speak HTTP, which handful serve starts.")
    worker_processes: int = Field(1, ge=0, description="Device workers that handful serve starts.")
    worker_urls: list[WorkerUrl] = Field(
        [], description="Workers elsewhere: tcp://host:port or unix:///path, as a JSON list."
    )
    listen: WorkerUrl = Field(
        "tcp://127.0.0.1:8100", description="Where handful worker listens: tcp:// or unix:// URL."
    )
    worker_secret: SecretStr = Field(
        SecretStr(""), description="What API processes and workers on tcp:// must both know; not sent over the wire."
    )
    stall_s: float = Field(
        600, gt=0, description="Seconds that a batch may run; then the worker ends, to be started again."
    )
    worker_metrics_port: int | None = Field(
        None, ge=1, le=65535, description="Where handful worker, run by itself, shows its metrics."
    )

    device: str = Field("cpu", description="Device of the worker: cpu, cuda, cuda:1, ...")
    precision: Literal["float32", "bfloat16"] = Field("float32", description="Arithmetic of the worker.")
    state_precision: Literal["float16", "float32"] = Field(
        "float16", description="Of what classifiers keep of a client's weights: how far they are from the model's own."
    )
    compile: bool = Field(
        False, description="Compile models with torch.compile before being ready, which takes minutes for each."
    )
    threads: int = Field(1, ge=1, description="Torch threads of each of the worker's two lanes.")
    queue: int = Field(1024, ge=1, description="Jobs that may wait for each lane; the next is answered 429.")
    batch_jobs: int = Field(16, ge=1, description="Jobs that run as one batch, at most.")
    batch_examples: int = Field(2048, ge=1, description="Examples, padding included, that run as one batch, at most.")
    state_cache_bytes: int = Field(512 * 2**20, ge=0, description="Bytes of adapted states held on the device.")
    deadline_s: float = Field(30.0, gt=0, description="Seconds that a job may wait; then it is answered 504.")

    receive_timeout_s: float = Field(
        60.0,
        gt=0,
        description="Seconds for the head of a request to arrive, and for its body; then the connection is closed.",
    )
    max_body_bytes: int = Field(32 * 2**20, ge=1024, description="Bytes of a request body, at most.")
    max_examples: int = Field(2000, ge=2, description="Examples of one client, at most.")
    max_ways: int = Field(256, ge=2, description="Classes of one client, at most, whatever the model takes.")
    max_queries: int = Field(1000, ge=1, description="Inputs of one /predict, at most.")
    decoders: int = Field(2, ge=1, description="Processes that decode image files, for each API process.")
    decode_cpu_s: float = Field(
        5.0, gt=0, description="Seconds of processor time to decode the image files of one request; then it is refused."
    )
    max_image_pixels: int = Field(
        64_000_000, ge=784, description="Pixels of a request's images together, at most; read before decoding."
    )
